"""Profiles on the disk: which one is a unit's, and what else may lie there."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import Evidence, Gap
from agent.profiles import Profile, Shelf, decode, encode, gather
from agent.profiles.profile import SUFFIX

PROFILE = Profile("Hibertek", "AIO 24", "", "", "2026-01-01T00:00:00Z", "0.1.0")
UNIT = {"manufacturer": "Hibertek", "model": "AIO 24", "sku": "S1", "serial": "A1"}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "shipped").mkdir()
    return Shelf(tmp_path / "state", tmp_path / "shipped")


def model_of(shelf: Shelf, unit: dict[str, str] = UNIT) -> str | None:
    kept = shelf.of(unit)
    return kept.profile.source if kept and kept.profile else None


def test_there_is_none_yet(shelf: Shelf) -> None:
    assert (shelf.all(), shelf.of(UNIT)) == ([], None)
    (gap,) = gather(shelf, UNIT)
    assert isinstance(gap, Gap)
    assert not gap.essential


def test_what_is_put_is_there(shelf: Shelf) -> None:
    path = shelf.put(PROFILE)
    assert decode(path.read_bytes()) == PROFILE
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert os.listdir(path.parent) == [path.name]
    (evidence,) = gather(shelf, UNIT)
    assert isinstance(evidence, Evidence)
    assert (evidence.kind, decode(evidence.data)) == ("profile", PROFILE)


def test_learning_again_replaces(shelf: Shelf) -> None:
    assert shelf.put(PROFILE) == shelf.put(replace(PROFILE, source="again", manufacturer="HIBERTEK "))
    assert model_of(shelf) == "again"


def test_two_models_have_two_files(shelf: Shelf) -> None:
    """Also where only a character differs that no file name has."""
    paths = {shelf.put(replace(PROFILE, model=model)) for model in ("AIO 24", "AIO-24", "AIO/24", "一體機", "一體机")}
    assert len(paths) == 5


def test_a_variant_goes_before_the_model_and_what_was_learnt_before_what_was_shipped(
    shelf: Shelf, tmp_path: Path
) -> None:
    shipped = replace(PROFILE, source="shipped, of the variant", sku="S1")
    (tmp_path / "shipped" / f"x{SUFFIX}").write_bytes(encode(shipped))
    shelf.put(replace(PROFILE, source="learnt, of all"))
    assert model_of(shelf) == "shipped, of the variant"
    shelf.put(replace(PROFILE, source="learnt, of the variant", sku="S1"))
    assert model_of(shelf) == "learnt, of the variant"
    assert model_of(shelf, UNIT | {"sku": "S2"}) == "learnt, of all"
    assert model_of(shelf, UNIT | {"model": "aio  24"}) == "learnt, of the variant"
    assert model_of(shelf, UNIT | {"model": "AIO 27"}) is None
    assert model_of(shelf, {}) is None


def test_what_is_no_profile_takes_no_other_away(shelf: Shelf) -> None:
    folder = shelf.put(PROFILE).parent
    (folder / f"bad{SUFFIX}").write_text("{")
    (folder / f"big{SUFFIX}").write_bytes(b" " * (2 << 20))
    (folder / f"link{SUFFIX}").symlink_to("/etc/passwd")
    os.mkfifo(folder / f"pipe{SUFFIX}")
    (folder / f"folder{SUFFIX}").mkdir()
    (folder / f".hidden{SUFFIX}").write_text("{")
    (folder / "README").write_text("not a profile")
    assert model_of(shelf) == ""
    *gaps, evidence = gather(shelf, UNIT)
    assert isinstance(evidence, Evidence)
    assert len(gaps) == 5
    assert not any(isinstance(gap, Gap) and gap.essential for gap in gaps)


def test_one_that_was_learnt_is_forgotten(shelf: Shelf) -> None:
    shelf.put(PROFILE)
    (kept,) = shelf.all()
    shelf.forget(kept)
    assert shelf.all() == []


def test_nothing_half_written_is_left_when_the_disk_is_full(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    path = shelf.put(PROFILE)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        shelf.put(replace(PROFILE, source="again"))
    assert os.listdir(path.parent) == [path.name]
    assert decode(path.read_bytes()) == PROFILE


def test_what_the_agent_brings_along_can_be_read() -> None:
    assert all(kept.profile is not None for kept in Shelf(Path("/nonexistent")).all())
