"""A unit with its state, and the person in front of it, who speaks one language and sees what is printed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.model import Text
from agent.texts import render
from tests.agent_process import Ran, aiodiag
from tests.pictures import picture


@dataclass
class Unit:
    state: Path
    language: str = "en"

    def aiodiag(self, *args: str) -> Ran:
        """Run the agent. Whatever happens, a person is never shown a traceback."""
        ran = aiodiag(self.state, *args, "--lang", self.language)
        assert "Traceback" not in ran.err + ran.out
        return ran

    def sealed(self, rma: str, server: str) -> Path:
        """Seal the run for a case, and put it into the outbox."""
        ran = self.aiodiag("bundle", "seal", "--rma", rma, "--server", server)
        assert (ran.status, ran.err) == (0, "")
        return Path(ran.out.strip())

    def outbox(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.aiodiag("outbox", "--json").json()["entries"]
        return entries

    def in_outbox(self) -> list[Path]:
        """The files of the bundles that are still to be delivered."""
        return sorted((self.state / "outbox").glob("*.zip"))

    def grow(self, size: int) -> None:
        """Add a picture of ``size`` bytes, which does not compress, to every run."""
        for run in (self.state / "runs").iterdir():
            (run / "attachments" / "camera.png").write_bytes(picture(size))

    def say(self, template: str, **values: str) -> str:
        """A sentence in the person's language."""
        return render(Text(template, values), self.language)

    def check_not_sent(self, ran: Ran, bundle: Path, reason: str) -> None:
        """``upload`` failed: one clear line that tells ``reason`` and how to send it later; nothing is lost."""
        kept = "not sent: {reason}. It is kept in the outbox; send it later with: aiodiag upload"
        assert ran.err == f"aiodiag: {self.say(kept, reason=reason)}\n"
        assert (ran.status, ran.out) == (3, "")
        assert "aiodiag upload" in ran.err
        self.check_waiting(bundle)

    def check_waiting(self, bundle: Path) -> None:
        """The bundle waits in the outbox, whole, and the person sees it there."""
        (kept,) = self.in_outbox()
        assert kept.read_bytes() == bundle.read_bytes()
        shown = self.aiodiag("outbox")
        assert shown.status == 0
        assert self.say("waiting") in shown.out
        assert self.say("Send what waits with: aiodiag upload") in shown.out
