"""Why a program gave nothing to read. Pure."""

from __future__ import annotations

from agent.model import Evidence, Gap, Outcome, Text
from agent.tools.programs import PROGRAMS


def program_gap(evidence: Evidence, subject: str, *, essential: bool, as_root: str = "") -> Gap:
    """The gap that the output of a program that failed leaves behind.

    A program or a right that is missing is ``unsupported``, with the command that gets it (``as_root`` where root would
    be allowed); anything else that goes wrong with a program is an ``error``.
    """
    program = evidence.source.partition(" ")[0]
    said = evidence.text().strip()
    if as_root and ("not permitted" in said or "insufficient permissions" in said or "ermission denied" in said):
        return Gap(subject, Outcome.UNSUPPORTED, Text("needs root"), essential, as_root)
    if evidence.problem is None:
        first = "".join(c if c.isprintable() else " " for c in said.partition("\n")[0][:200])
        reason = Text("{program} failed: {error}", {"program": program, "error": first or "?"})
        return Gap(subject, Outcome.ERROR, reason, essential)
    if evidence.problem.template == "{program} is not installed" and program in PROGRAMS:
        remedy = f"sudo apt-get install {PROGRAMS[program].package}"
        return Gap(subject, Outcome.UNSUPPORTED, evidence.problem, essential, remedy)
    ran = evidence.problem.template != "no program is run over captured files"
    return Gap(subject, Outcome.ERROR if ran else Outcome.UNSUPPORTED, evidence.problem, essential)
