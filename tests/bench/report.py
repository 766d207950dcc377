"""The table of a run, for people and for ``docs/bench.md``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.bench.judgement import Result
from tests.bench.runner import Ended

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bench.md"
BEGIN, END = "<!-- table: written by ./dev bench --report -->", "<!-- end of the table -->"


def line(ended: Ended) -> str:
    """One scenario in one line, as it ends."""
    found = ", ".join(_said(ended)) or "nothing said"
    seconds = f"{ended.seconds:5.1f} s"
    if ended.judgement.result is Result.PASSED:
        return f"{seconds}  passed  {ended.scenario.name}: {found}"
    return f"{seconds}  {ended.judgement.result.upper()}  {ended.scenario.name}: {ended.judgement.why}"


def summary(all_ended: Sequence[Ended], seconds: float) -> list[str]:
    """What a whole run came to. The last line is for programs."""
    bad = [e for e in all_ended if e.judgement.result is not Result.PASSED]
    ready = sorted(e.ready_s for e in all_ended if not e.scenario.cold)
    lines = [f"\nfailed: {e.scenario.name}: {e.judgement.result}: {e.judgement.why}" for e in bad]
    if ready:
        middle = ready[len(ready) // 2]
        lines.append(f"restored until a command was answered: {middle:.2f} s (median), {ready[-1]:.2f} s (longest)")
    lines.append(f"{len(all_ended)} scenarios in {seconds / 60:.1f} minutes")
    lines.append(f"{len(all_ended) - len(bad)} passed, {len(bad)} failed")
    return lines


def write(all_ended: Sequence[Ended], seconds: float) -> None:
    """Put the table into ``docs/bench.md``, in place of the one that is there."""
    order = sorted(all_ended, key=lambda e: (e.scenario.marks[:1], e.scenario.name))
    rows = [
        "| scenario | fault | the customer says | said by the agent | answer after | result |",
        "|---|---|---|---|---|---|",
        *(_row(e) for e in order),
    ]
    good = sum(e.judgement.result is Result.PASSED for e in all_ended)
    head = f"{len(all_ended)} scenarios, {good} passed, in {seconds / 60:.1f} minutes.\n\n"
    text = DOCUMENT.read_text("utf-8")
    table = f"{BEGIN}\n\n{head}" + "\n".join(rows) + f"\n\n{END}"
    before, after = text.index(BEGIN), text.index(END) + len(END)
    DOCUMENT.write_text(text[:before] + table + text[after:], "utf-8")


def _row(ended: Ended) -> str:
    scenario = ended.scenario
    answer = f"{ended.checked.seconds:.0f} s" if ended.checked else ""
    said = "<br>".join(_said(ended))
    cells = (scenario.name, scenario.fault, scenario.customer, said, answer, str(ended.judgement.result))
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"


def _said(ended: Ended) -> list[str]:
    findings = ended.checked.findings if ended.checked else []
    return [f"{f['code']} {f['severity']} {f['subject']}".strip() for f in findings]
