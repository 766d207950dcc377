"""Templates to answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from agent.texts import LANGUAGES
from server_stub.pages.language import NAMES, gettext, html_tag, language
from server_stub.pages.visible import visible

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def _finalize(value: Any) -> Any:
    """Applied to everything that a template puts out, so that nothing can be forgotten."""
    return value if isinstance(value, Markup) else visible(value)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    finalize=_finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The page ``template`` in the reader's language."""
    lang = language(request)
    body = _ENVIRONMENT.get_template(template).render(
        {
            **context,
            "_": gettext(lang),
            "lang": lang,
            "html_lang": html_tag(lang),
            "languages": [(tag, html_tag(tag), NAMES[tag], link(request, lang=tag)) for tag in LANGUAGES],
            "claim": request.query_params.get("claim", ""),
        }
    )
    return HTMLResponse(body, status_code=status)


def link(request: Request, path: str | None = None, **changed: str | None) -> str:
    """A path of ours with the claim code and the language of this request; ``changed`` members are set or (``None``)
    left out.
    """
    kept = ("claim", "lang") if path is not None else ("claim", "lang", "bundle", "rma", "serial", "page")
    query = {name: request.query_params[name] for name in kept if name in request.query_params}
    query.update({name: value for name, value in changed.items() if value is not None})
    chosen = {name: value for name, value in query.items() if changed.get(name, value) is not None}
    target = path if path is not None else request.url.path
    return f"{target}?{urlencode(chosen, errors='replace')}" if chosen else target
