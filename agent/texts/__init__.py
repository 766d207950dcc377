"""Everything that a person sees, in their language. Message ids are the English sentences (gettext, Babel)."""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable
from functools import cache

from agent.model import Text
from agent.model.text import fill

LANGUAGES = ("en", "es", "zh_Hant")
DOMAIN = "aiodiag"
FOLDER = os.path.join(os.path.dirname(__file__), "locale")

_CHINESE_IN_TRADITIONAL = ("tw", "hk", "mo", "hant")


@cache
def translator(language: str) -> Callable[[str], str]:
    """The function that turns an English sentence into ``language``; English for a language that is none of ours."""
    if language not in LANGUAGES or language == "en":
        return str
    return gettext.translation(DOMAIN, FOLDER, [language], fallback=True).gettext


def speak(language: str) -> None:
    """Make the process's own ``gettext`` (help texts, argparse) speak ``language``."""
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, FOLDER)
    gettext.textdomain(DOMAIN)


def render(text: Text, language: str) -> str:
    """A :class:`Text` as a sentence in ``language``."""
    return fill(translator(language)(text.template), text.values)


def language_of(tag: str) -> str | None:
    """Which of our languages a tag means (``es_MX.UTF-8``, ``zh-TW``, ``zh_Hant``, ``en``); ``None`` for none of them.

    Simplified Chinese is none of ours: its readers are better served by English than by the wrong script.
    """
    language, *rest = re.split(r"[.@]", tag, maxsplit=1)[0].replace("-", "_").lower().split("_")
    if language == "zh":
        return "zh_Hant" if any(part in _CHINESE_IN_TRADITIONAL for part in rest) else None
    return language if language in LANGUAGES else None


def language_of_environment() -> str:
    """The language that the environment asks for (POSIX: ``LC_ALL``, ``LC_MESSAGES``, ``LANG``), else English."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        tag = os.environ.get(variable)
        if tag:
            return language_of(tag) or "en"
    return "en"
