"""Every sentence that a person sees is there in every language, with the same fields."""

from __future__ import annotations

import argparse
import gettext
import re
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po

from agent.model import Text
from agent.texts import DOMAIN, FOLDER, LANGUAGES, language_of, language_of_environment, render, translator

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "Text": None}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def messages() -> set[str]:
    found: set[str] = set()
    for top in ("agent", "uploader", "server_stub"):
        for _, _, message, _, _ in extract_from_dir(str(ROOT / top), METHODS, keywords=KEYWORDS):
            found.add(message if isinstance(message, str) else message[0])
    for _, message, _, _ in extract_from_file("python", argparse.__file__, keywords=KEYWORDS):
        found.add(message if isinstance(message, str) else message[0])
    return found - {""}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None} | set(
        re.findall(r"%\(\w+\)s|%[sdr]", text)
    )


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated_with_its_fields(language: str) -> None:
    with open(ROOT / "agent/texts/locale" / language / "LC_MESSAGES/aiodiag.po", "rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    missing, wrong = [], []
    for message in sorted(messages()):
        entry = catalogue.get(message)
        texts = [] if entry is None else [entry.string] if isinstance(entry.string, str) else list(entry.string)
        if not texts or not all(texts) or (entry is not None and entry.fuzzy):
            missing.append(message)
        elif any(fields(text) != fields(message) for text in texts):
            wrong.append(message)
    assert (missing, wrong) == ([], [])


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_translations_are_compiled(language: str) -> None:
    assert translator(language)("needs root") != "needs root"
    assert render(Text("no answer within {seconds} s", {"seconds": 7}), language).count("7") == 1


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_plural_forms_are_those_of_the_language(language: str, number: int) -> None:
    compiled = gettext.translation(DOMAIN, FOLDER, [language])
    assert not compiled.ngettext("expected %s argument", "expected %s arguments", number).startswith("expected")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en_US.UTF-8", "en"),
        ("es_MX.UTF-8", "es"),
        ("es", "es"),
        ("zh_TW.UTF-8", "zh_Hant"),
        ("zh-Hant-HK", "zh_Hant"),
        ("zh_Hant", "zh_Hant"),
        ("zh_CN.UTF-8", None),
        ("fr_FR", None),
        ("C", None),
        ("", None),
    ],
)
def test_which_language_a_tag_means(tag: str, language: str | None) -> None:
    assert language_of(tag) == language


def test_the_environment_is_asked_in_the_order_of_posix(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(variable, raising=False)
    assert language_of_environment() == "en"
    monkeypatch.setenv("LANG", "es_ES.UTF-8")
    assert language_of_environment() == "es"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language_of_environment() == "en"
