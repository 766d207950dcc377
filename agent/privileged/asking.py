"""Asks the privileged helper, as the person who runs the agent: polkit asks for an administrator's password, once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agent.model import Evidence, Gap
from agent.privileged.answer import answers
from agent.privileged.verbs import HELPER, LIMIT_S, POLICY
from agent.tools import PROGRAMS, Status, run

PASSWORD_S = 120.0
"""Seconds for a person to find and type a password; ours."""
_NOT_GIVEN = (126, 127)
"""pkexec(1): the dialog was dismissed; the authorisation could not be had, or something went wrong."""


class Looked(NamedTuple):
    """What the helper gathered, by area, and whether it was let at all."""

    areas: Mapping[str, Sequence[Evidence | Gap]]
    allowed: bool


def installed() -> bool:
    """Whether helper, policy and pkexec are there; without any of them nobody is asked for anything."""
    return all(map(os.path.exists, (HELPER, POLICY, *PROGRAMS["pkexec"].paths)))


def look(verb: str) -> Looked:
    """Have the helper look, and wait for the person and for it. Never raises; an area that it did not manage is not
    there. pkexec's own question on a terminal is not asked for: programs of ours have no terminal.
    """
    ran = run("pkexec", ("--disable-internal-agent", HELPER, verb), timeout_s=PASSWORD_S + LIMIT_S)
    refused = ran.status is not Status.OK or ran.exit_status in _NOT_GIVEN
    found = answers(ran.stdout)
    return Looked(found, allowed=bool(found) or not refused)
