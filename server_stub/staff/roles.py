"""Which role may do what, and what a token may be made for: the one table of each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from server_stub.db.accounts import Role
from server_stub.db.models import CaseStatus


class Action(StrEnum):
    """What somebody of the staff does."""

    SIGN_OUT = "sign-out"
    SEE_CASES = "see-cases"
    """Every case: its unit, what the customer says, its diagnoses, keys and timeline."""
    SEE_EVIDENCE = "see-evidence"
    """What is inside a bundle beyond its findings, also of one in quarantine: journal, raw files, the bundle itself."""
    DECIDE_KEYS = "decide-keys"
    """Which key speaks for a unit: what a diagnosis is worth hangs on it."""
    MOVE_CASES = "move-cases"
    """Hand a case on from a step of their own (:data:`HANDS_ON`)."""


MAY: Mapping[Action, frozenset[Role]] = {
    Action.SIGN_OUT: frozenset(Role),
    Action.SEE_CASES: frozenset(Role),
    Action.SEE_EVIDENCE: frozenset({Role.RD, Role.QC, Role.ADMIN}),
    Action.DECIDE_KEYS: frozenset({Role.QC, Role.ADMIN}),
    Action.MOVE_CASES: frozenset(Role),
}
"""What is not here, nobody may."""

HANDS_ON: Mapping[CaseStatus, frozenset[Role]] = {
    CaseStatus.REQUEST: frozenset({Role.SUPPORT, Role.ADMIN}),
    CaseStatus.APPROVAL: frozenset({Role.SUPPORT, Role.ADMIN}),
    CaseStatus.REPAIR: frozenset({Role.RD, Role.ADMIN}),
    CaseStatus.SHIPPING: frozenset({Role.SUPPORT, Role.ADMIN}),
    CaseStatus.QUALITY_CONTROL: frozenset({Role.QC, Role.ADMIN}),
    CaseStatus.FEEDBACK: frozenset({Role.SUPPORT, Role.ADMIN}),
    CaseStatus.CLOSURE: frozenset({Role.ADMIN}),
}
"""Whose step it is: who does its work says when it is done, and whether the case goes on or back."""


class Scope(StrEnum):
    """What a program with a token may do; one token may have several, and none includes another."""

    CASES_READ = "cases:read"
    """List the cases, and read of one where it stands and what its diagnoses found."""
    BUNDLES_READ = "bundles:read"
    """Fetch bundles, accepted ones and those in quarantine."""
    CASES_MOVE = "cases:move"
    """Move a case to another step, whichever it is at."""


def may(role: Role, action: Action) -> bool:
    """Whether the table says so."""
    return role in MAY.get(action, frozenset())
