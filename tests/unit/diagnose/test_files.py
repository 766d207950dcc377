"""How much of a stranger's file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.diagnose.files import InputRefused, read_all, read_head

KIB = 1024


@pytest.mark.parametrize("size", [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB])
def test_a_file_is_read_whole_or_as_far_as_was_asked(size: int, tmp_path: Path) -> None:
    data = bytes(n % 251 for n in range(size))
    (tmp_path / "file").write_bytes(data)
    assert read_all(tmp_path / "file", 200 * KIB) == data
    assert all(read_head(tmp_path / "file", n) == data[:n] for n in (10, 64 * KIB, 65 * KIB))


@pytest.mark.parametrize("cap", [10, 64 * KIB - 1, 64 * KIB, 65 * KIB])
def test_one_byte_over_the_cap_is_refused(cap: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(cap + 1))
    with pytest.raises(InputRefused, match="larger than allowed"):
        read_all(tmp_path / "file", cap)
