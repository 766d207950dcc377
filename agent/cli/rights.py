"""What a person who is not root lets the privileged helper see."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from agent.cli.streams import tell
from agent.model import Text

if TYPE_CHECKING:
    from agent.host import Host


def machine(areas: Iterable[str], language: str) -> Host:
    """The machine as the agent may see it for these areas. Where only root sees all of them, a person is there and the
    helper is installed, polkit asks for an administrator's password; who does not give it goes on without.
    """
    from agent.host import Host

    host = Host()
    if host.is_root or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return host
    from agent.privileged.asking import installed, look
    from agent.privileged.verbs import AREAS, VERBS

    wanted = set(areas) & set(AREAS)
    if not wanted or not installed():
        return host
    # The verb that looks at the least of what has all that is wanted.
    verb = min((v for v in VERBS if wanted <= set(VERBS[v])), key=lambda v: len(VERBS[v]))
    why = Text(
        "serial numbers in the firmware, the drives' health and the system log are for an administrator to see: "
        "you are asked for a password now; refuse it, and this goes on without them"
    )
    tell(why, language)
    seen = look(verb)
    if not seen.allowed:
        tell(Text("it was not allowed; this goes on without what needs root"), language)
    return Host(by_helper={area: seen.areas[area] for area in wanted & seen.areas.keys()})
