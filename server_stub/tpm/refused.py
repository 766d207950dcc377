"""Why a proof is not believed."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """One word for each; staff see it beside the key (``server_stub.pages.labels``), and the audit log keeps it."""

    NO_MAKERS = "no-makers"
    """This receiver was told of no maker of TPMs."""
    NO_CERTIFICATE = "no-certificate"
    """The unit's TPM shows none."""
    UNREADABLE = "unreadable-certificate"
    UNKNOWN_MAKER = "unknown-maker"
    """No chain to a maker that this receiver was told of; also for one that was changed."""
    NOT_VALID_NOW = "not-valid-now"
    NOT_OF_A_TPM = "not-of-a-tpm"
    """Not made out for an endorsement key."""
    OTHER_TEMPLATE = "other-template"
    """An endorsement key of another kind than the two that are known here."""
    OTHER_TPM = "other-tpm"
    """The certificate is for another endorsement key than the one that is shown."""
    NOT_FIXED = "not-fixed"
    """The public area of the unit's key is none of a key that was made in a TPM and cannot leave it."""
    OTHER_KEY = "other-key"
    """The public area is that of another key than the one that is enrolled."""
    WRONG_ANSWER = "wrong-answer"
    OF_ANOTHER_UNIT = "of-another-unit"
    """Proven, but this TPM has proven itself as another unit's before: staff decide."""


class NotProven(Exception):
    """The proof does not hold. ``detail`` is a sentence for whoever called, or ``""``."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail
