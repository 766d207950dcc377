"""In which language a page is, and how its sentences get into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request

from agent.model import Text
from agent.texts import LANGUAGES, language_of, render

NAMES = {"en": "English", "es": "Español", "zh_Hant": "繁體中文"}
"""Language -> what its readers call it."""


def language(request: Request) -> str:
    """What ``?lang=`` says, else the first of ``Accept-Language`` that we have, else English."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for tag in _accepted(request.headers.get("accept-language", "")):
        found = language_of(tag)
        if found:
            return found
    return "en"


def html_tag(lang: str) -> str:
    """The language as HTML says it (BCP 47)."""
    return lang.replace("_", "-")


def gettext(lang: str) -> Callable[..., str]:
    """The ``_`` of a template: a message, and values for its ``{named}`` fields."""

    def _(message: str, **values: Any) -> str:
        return render(Text(message, values), lang)

    return _


def _accepted(header: str) -> list[str]:
    """Language tags, the most wanted first (RFC 9110, 12.5.4)."""
    weighed: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1) if parameter else 1.0
        except ValueError:
            continue
        if weight > 0:
            weighed.append((weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: -pair[0])]
