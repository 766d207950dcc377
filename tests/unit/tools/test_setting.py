"""What may be changed, and that it is put back: at the end, after an error, and when the changer is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tools.setting import CHANGEABLE, Setting, changing, keeping

BRIGHTNESS = "/sys/class/backlight/intel_backlight/brightness"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/sys/class/backlight/../../power/state",
        "/sys/class/backlight/x/../y/brightness",
        "/sys/class/backlight/x/brightness\n",
        "/sys/class/backlight/x/bl_power",
        "/sys/class/drm/card0-eDP-1/edid",
        "/sys/class/graphics/fb1/blank",
        "",
    ],
)
def test_nothing_else_is_changed(path: str) -> None:
    with pytest.raises(ValueError, match="nothing that may be changed"), changing(path):
        pass


@given(st.text(max_size=12) | st.from_regex(r"[0-9-]{1,12}"))
def test_only_allowed_values_are_written(value: str) -> None:
    """Over a file that is not there: a value that is allowed comes as far as the kernel."""
    for rule in CHANGEABLE:
        error = FileNotFoundError if rule.values.fullmatch(value) else ValueError
        with pytest.raises(error):
            Setting("/nowhere/at/all", rule).set(value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_only_root_changes_anything() -> None:
    with pytest.raises(PermissionError), changing(BRIGHTNESS):
        pass


@pytest.mark.skipif(os.geteuid() != 0 or os.path.exists(BRIGHTNESS), reason="needs root, and no such hardware")
def test_what_is_not_there_is_not_made() -> None:
    with pytest.raises(FileNotFoundError), changing(BRIGHTNESS):
        pass


def change_and_fail(file: Path) -> None:
    file.write_text("2")
    raise RuntimeError


def test_it_is_put_back_at_the_end_and_after_an_error(tmp_path: Path) -> None:
    file = tmp_path / "level"
    file.write_text("7")
    with keeping(str(file), "7"):
        file.write_text("1")
    assert file.read_text() == "7"
    with pytest.raises(RuntimeError), keeping(str(file), "7"):
        change_and_fail(file)
    assert file.read_text() == "7"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_put_back_when_the_changer_and_its_group_are_killed(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "level"
    file.write_text("7")
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the agent's own handler, where a test before has set it
            os.setpgid(0, 0)
            with keeping(str(file), "7"):
                file.write_text("1")
                time.sleep(60)
        finally:
            os._exit(1)
    while file.read_text() != "1":
        time.sleep(0.01)
    os.killpg(pid, number)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + 20
    while file.read_text() != "7" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert file.read_text() == "7"
