"""The words for what the database says in code; those for what a journal says are in ``agent.texts.words``."""

from __future__ import annotations

from agent.model import Text
from server_stub.db import CaseStatus
from server_stub.tpm.refused import Reason

STATUS = {
    CaseStatus.REQUEST: Text("Request"),
    CaseStatus.APPROVAL: Text("Approval"),
    CaseStatus.REPAIR: Text("Repair"),
    CaseStatus.SHIPPING: Text("Shipping"),
    CaseStatus.QUALITY_CONTROL: Text("Quality control"),
    CaseStatus.FEEDBACK: Text("Your feedback"),
    CaseStatus.CLOSURE: Text("Closed"),
}

VERDICT = {
    "pass": Text("Nothing wrong was found"),
    "fail": Text("A fault was found"),
    "incomplete": Text("Could not be judged completely"),
    "unknown": Text("Not certain"),
    "": Text("Not judged"),
}

WARRANTY = {
    "chassis": Text("Chassis"),
    "lcd": Text("LCD"),
    "motherboard": Text("Motherboard"),
    "spare-part": Text("Spare part"),
}

MOVED = Text("The case moved to the step “{step}”")

EVENT = {
    "case-opened": Text("The case was opened"),
    "key-enrolled": Text("The key of the unit was enrolled"),
    "key-quarantined": Text("Another key asked to speak for the unit; it was set aside for service staff"),
    "key-replaced": Text("The key of the unit handed over to another one"),
    "key-accepted": Text("Service staff confirmed a key of the unit"),
    "key-revoked": Text("Service staff refused or revoked a key of the unit"),
    "key-of-factory": Text("The key of the unit was taken down at the factory"),
    "tpm-proven": Text("The TPM of the unit proved that it holds the unit's key"),
    "tpm-of-another-unit": Text(
        "The TPM of the unit is known as another unit's; the unit's key was set aside for service staff"
    ),
    "upload-started": Text("A diagnosis is being uploaded"),
    "bundle-accepted": Text("A diagnosis was received and verified"),
    "bundle-quarantined": Text("A diagnosis was received but not accepted; it is kept for service staff"),
}

KEY_LEVEL = {
    "factory": Text("key known since the factory"),
    "tpm-ek": Text("key proven to be in a TPM"),
    "tofu": Text("key trusted on first use"),
    "unknown": Text("key not confirmed"),
}

UNPROVEN = {
    "": Text("its TPM has proven nothing yet"),
    Reason.NO_MAKERS: Text("not proven: this receiver was told of no maker of TPMs"),
    Reason.NO_CERTIFICATE: Text("not proven: its TPM has no certificate of its maker"),
    Reason.UNREADABLE: Text("not proven: its TPM's certificate cannot be read"),
    Reason.UNKNOWN_MAKER: Text("not proven: no maker that this receiver was told of made its TPM's certificate"),
    Reason.NOT_VALID_NOW: Text("not proven: its TPM's certificate is not valid now"),
    Reason.NOT_OF_A_TPM: Text("not proven: what it shows is no certificate of a TPM"),
    Reason.OTHER_TEMPLATE: Text("not proven: its TPM's endorsement key is of a kind that is not known here"),
    Reason.OTHER_TPM: Text("not proven: the certificate is another TPM's"),
    Reason.NOT_FIXED: Text("not proven: the key is not as one that was made in a TPM and stays there"),
    Reason.OTHER_KEY: Text("not proven: the TPM showed another key"),
    Reason.WRONG_ANSWER: Text("not proven: the TPM's answer was wrong"),
    Reason.OF_ANOTHER_UNIT: Text("its TPM is known as another unit's"),
}
"""Why more is not known of a key that says that it is in a TPM."""

KEY_STATE = {
    "enrolled": Text("speaks for the unit"),
    "quarantined": Text("waits for a decision"),
    "replaced": Text("spoke for the unit before"),
    "revoked": Text("refused or revoked"),
}

ROLE = {
    "support": Text("Support"),
    "rd": Text("Research and development"),
    "qc": Text("Quality control"),
    "admin": Text("Administration"),
}

KEY_PROTECTION = {"tpm": Text("kept in the TPM, as the unit says"), "file": Text("kept in a file")}

KEY_REVOKED = Text("revoked since")
