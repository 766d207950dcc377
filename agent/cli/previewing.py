"""What of a run would be replaced before it leaves the device, shown to its owner."""

from __future__ import annotations

from typing import Any

from agent.cli.tables import Paper
from agent.model import Text
from agent.redaction import RULES, Kind
from uploader.bundle.redacted import Redaction

_KINDS = {
    Kind.MAC: Text("hardware address (MAC)"),
    Kind.IP: Text("network address (IP)"),
    Kind.EMAIL: Text("e-mail address"),
    Kind.HOST: Text("name of a computer or its domain"),
    Kind.USER: Text("name of a user"),
    Kind.SSID: Text("name of a Wi-Fi network"),
    Kind.LABEL: Text("label of a drive"),
    Kind.MOUNT: Text("folder where a drive is mounted"),
}


def print_preview(redaction: Redaction, language: str) -> None:
    """Each value with what would stand for it, where and how often; then what would be left out."""
    paper = Paper(language)
    if redaction.found:
        paper.heading(Text("What would be replaced"))
        columns = [Text("Kind"), Text("Value"), Text("For example by"), Text("Where"), Text("How often")]
        rows = [
            (paper.say(_KINDS[f.replaced.kind]), f.replaced.value, f.replaced.pseudonym, f.file, str(f.times))
            for f in redaction.found
        ]
        paper.table(columns, rows)
        paper.console.print(paper.say(Text("Each bundle gets other pseudonyms. What they stand for stays here.")))
    else:
        paper.console.print(paper.say(Text("Nothing in this run would be replaced.")))
    if redaction.stripped:
        paper.heading(Text("Pictures that would lose their place, time and other notes"))
        paper.lines(redaction.stripped)
    if redaction.left_out:
        paper.heading(Text("Files that would be left out, for nobody can look into them"))
        paper.lines(redaction.left_out)


def preview_document(redaction: Redaction, run_id: str) -> dict[str, Any]:
    """The same for programs."""
    found = [
        {
            "kind": f.replaced.kind.value,
            "value": f.replaced.value,
            "pseudonym": f.replaced.pseudonym,
            "file": f.file,
            "times": f.times,
        }
        for f in redaction.found
    ]
    return {
        "schema": 1,
        "run_id": run_id,
        "rules": RULES,
        "replaced": found,
        "stripped": list(redaction.stripped),
        "left_out": list(redaction.left_out),
    }
