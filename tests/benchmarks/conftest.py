"""What is measured stands in one table at the end, each number with its goal. Nothing is asserted on time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Report = Callable[[str, str, str], None]

_ROWS: list[tuple[str, str, str]] = []


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Put a row into the table: what it is, the number, the goal (``""`` for none)."""

    def row(what: str, measured: str, goal: str) -> None:
        _ROWS.append((what, measured, goal))
        request.node.user_properties.append((what, measured))

    return row


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _ROWS:
        rows = [("what", "measured", "goal"), *_ROWS]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        terminalreporter.section("against the goals")
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
