"""Whose serial number counts: the unit's own, the label's, a part's; in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.host import Host
from agent.runner.identity import identify

DMI = "sys/class/dmi/id"
OWN, BOARD, LABEL = "HB24A2603000417", "MB2602110093", "HB24A2603000999"
PLACEHOLDER = "To be filled by O.E.M."


@pytest.mark.parametrize(
    ("held", "typed", "counts"),
    [
        ((OWN, BOARD), None, (OWN, f"/{DMI}/product_serial")),
        ((OWN, BOARD), LABEL, (OWN, f"/{DMI}/product_serial")),
        ((PLACEHOLDER, BOARD), None, (BOARD, f"/{DMI}/board_serial")),
        ((PLACEHOLDER, BOARD), LABEL, (LABEL, "person")),
        ((PLACEHOLDER, PLACEHOLDER), LABEL, (LABEL, "person")),
        ((PLACEHOLDER, PLACEHOLDER), None, (None, None)),
    ],
)
def test_whose_serial_number_counts(
    tmp_path: Path, held: tuple[str, str], typed: str | None, counts: tuple[str | None, str | None]
) -> None:
    folder = tmp_path / DMI
    folder.mkdir(parents=True)
    for name, text in zip(("product_serial", "board_serial", "product_name"), (*held, "AIO-24"), strict=True):
        (folder / name).write_text(text + "\n")
    unit = identify(Host(str(tmp_path)), typed)
    assert (unit.get("serial"), unit.get("serial_source")) == counts
    assert unit["model"] == "AIO-24"
