"""The audio probe, from a copy of procfs and sysfs to cards, codecs, speakers and microphones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Component, Evidence, Gap, Outcome, Reading, Readings
from agent.probes.audio import PROBE

TIME = "2026-01-01T00:00:00Z"
CARDS = """ 0 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xdc628000 irq 137
 1 [Headset        ]: USB-Audio - USB Headset
                      Some USB Headset at usb-0000:00:14.0-2, full speed
"""
PCM = """00-00: ALC256 Analog : ALC256 Analog : playback 1 : capture 1
00-03: HDMI 0 : HDMI 0 : playback 1
00-06: Capture : x : capture 2
01-00: USB Audio : USB Audio : playback 1 : capture 1
"""
CODEC = """Codec: Realtek ALC256
Address: 0
AFG Function Id: 0x1 (unsol 1)
Vendor Id: 0x10ec0256
Default Amp-Out caps: N/A
Node 0x02 [Audio Output] wcaps 0x41d: Stereo Amp-Out
  Power: setting=D0, actual=D0
Node 0x12 [Pin Complex] wcaps 0x40040b: Stereo Amp-In
  Pincap 0x00000020: IN
  Pin Default 0x90a60130: [Fixed] Mic at Int N/A
Node 0x14 [Pin Complex] wcaps 0x40058d: Stereo Amp-Out
  Pin Default 0x90170110: [Fixed] Speaker at Int N/A
    Conn = Analog, Color = Unknown
Node 0x19 [Pin Complex] wcaps 0x40048b: Stereo Amp-In
  Pin Default 0x03a11020: [Jack] Mic at Ext Left
Node 0x1a [Pin Complex] wcaps 0x40048b: Stereo Amp-In
  Pin Default 0x411111f0: [N/A] Speaker at Ext Rear
"""
# what an ALC236 told that a driver had left in a wrong power state (alsa-devel, June 2023)
SILENT = """Codec: Realtek ALC236
Address: 0
AFG Function Id: 0x1 (unsol 1)
State of AFG node 0x01:
  Power: setting=UNKNOWN, actual=D0, Clock-stop-OK, Setting-reset
Invalid AFG subtree
"""
MODEM = "Codec: Some Modem\nAddress: 1\nMFG Function Id: 0x2 (unsol 1)\nModem Function Group: 0x1\n"
HW = "sys/class/sound/hwC0D0"


def write(root: Path, files: dict[str, str]) -> Host:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Host(str(root))


def look(host: Host) -> tuple[Readings, list[Component], list[Gap]]:
    items = list(PROBE.gather(host))
    seen = list(PROBE.interpret([i for i in items if isinstance(i, Evidence)]))
    gaps = [item for item in (*items, *seen) if isinstance(item, Gap)]
    readings = Readings(item for item in seen if isinstance(item, Reading))
    return readings, [item for item in seen if isinstance(item, Component)], gaps


def values(readings: Readings, subject: str) -> dict[str, object]:
    return {r.name.removeprefix("audio."): r.value for r in readings if r.subject == subject}


def test_cards_codecs_and_streams(tmp_path: Path) -> None:
    files = {"proc/asound/cards": CARDS, "proc/asound/pcm": PCM, "proc/asound/card0/codec#0": CODEC}
    readings, components, gaps = look(write(tmp_path, files))
    assert gaps == []
    assert values(readings, "") == {"cards": 2}
    assert values(readings, "card0") == {
        "card": "HDA Intel PCH",
        "card.driver": "HDA-Intel",
        "playback": 2,
        "capture": 3,
    }
    assert values(readings, "card1") == {"card": "USB Headset", "card.driver": "USB-Audio", "playback": 1, "capture": 1}
    assert values(readings, "hwC0D0") == {"codec": "Realtek ALC256", "codec.responds": True}
    assert {(c.kind, c.name, c.description) for c in components} == {
        ("microphone", "hwC0D0/0x12", "Realtek ALC256"),
        ("speaker", "hwC0D0/0x14", "Realtek ALC256"),
    }


@pytest.mark.parametrize(
    ("default", "kind"),
    [
        ("0x90170110", "speaker"),  # fixed, internal
        ("0x99130110", "speaker"),  # fixed, internal, ATAPI connector
        ("0xd0170110", "speaker"),  # fixed and jack
        ("0xb7a60130", "microphone"),  # fixed, in the lid
        ("0x411111f0", None),  # not connected
        ("0x01014010", None),  # line out, jack
        ("0x02a11830", None),  # microphone, jack
        ("0x81171110", None),  # fixed speaker outside: an amplifier's connector
        ("0x185600f0", None),  # HDMI
    ],
)
def test_what_a_pin_is_wired_to(tmp_path: Path, default: str, kind: str | None) -> None:
    files = {"proc/asound/cards": CARDS, f"{HW}/init_pin_configs": f"0x14 {default}\n"}
    _, components, _ = look(write(tmp_path, files))
    assert [c.kind for c in components] == ([kind] if kind else [])


def test_the_driver_corrects_the_firmware(tmp_path: Path) -> None:
    files = {
        "proc/asound/cards": CARDS,
        f"{HW}/vendor_name": "Realtek\n",
        f"{HW}/chip_name": "ALC256\n",
        f"{HW}/init_pin_configs": "0x14 0x90170110\n0x17 0x411111f0\n",
        f"{HW}/driver_pin_configs": "0x14 0x411111f0\n0x17 0x90170120\n",
    }
    readings, components, _ = look(write(tmp_path, files))
    assert [(c.kind, c.name, c.description) for c in components] == [("speaker", "hwC0D0/0x17", "Realtek ALC256")]
    assert values(readings, "hwC0D0") == {"codec": "Realtek ALC256"}


def test_a_silent_codec_keeps_its_speakers(tmp_path: Path) -> None:
    files = {
        "proc/asound/cards": CARDS,
        "proc/asound/card0/codec#0": SILENT,
        "proc/asound/card0/codec#1": MODEM,
        f"{HW}/init_pin_configs": "0x14 0x90170110\n",
    }
    readings, components, gaps = look(write(tmp_path, files))
    assert gaps == []
    assert values(readings, "hwC0D0") == {"codec": "Realtek ALC236", "codec.responds": False}
    assert values(readings, "hwC0D1") == {"codec": "Some Modem"}
    assert [c.name for c in components] == ["hwC0D0/0x14"]


def test_no_card(tmp_path: Path) -> None:
    readings, components, gaps = look(write(tmp_path, {"proc/asound/cards": "--- no soundcards ---\n"}))
    assert [(r.name, r.value) for r in readings] == [("audio.cards", 0)]
    assert components == []
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]


@pytest.mark.parametrize("driver", ["snd_hda_intel", "sof-audio-pci-intel-tgl"])
def test_a_controller_without_a_card_is_an_error(tmp_path: Path, driver: str) -> None:
    host = write(tmp_path, {"proc/asound/cards": "--- no soundcards ---\n", f"sys/bus/pci/drivers/{driver}/bind": ""})
    (tmp_path / f"sys/bus/pci/drivers/{driver}/0000:00:1f.3").symlink_to("../../../../devices/pci0000:00/0000:00:1f.3")
    readings, _, gaps = look(host)
    assert values(readings, "") == {"controllers": 1, "cards": 0}
    assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.ERROR, True)]


def test_cards_are_found_without_procfs(tmp_path: Path) -> None:
    readings, _, gaps = look(write(tmp_path, {"sys/class/sound/card0/id": "PCH\n"}))
    assert gaps == []
    assert values(readings, "") == {"cards": 1}
    assert values(readings, "card0") == {"card": "PCH"}


CONTENT = st.one_of(
    st.sampled_from([CARDS, PCM, CODEC, SILENT, "0x14 0x90170110", "0x14 0xfffffffff", "9" * 5000, ""]),
    st.lists(st.sampled_from([*CARDS.splitlines(), *PCM.splitlines(), *CODEC.splitlines()])).map("\n".join),
    st.text("0x1af9-: []\n\0é\ud800", max_size=20),
    st.integers(),
    st.none(),
    st.fixed_dictionaries({"error": st.sampled_from(["EIO", ""])}),
    st.fixed_dictionaries({"link": st.text(max_size=3)}),
)
PATHS = st.sampled_from(
    [
        "/proc/asound/cards",
        "/proc/asound/pcm",
        "/proc/asound/card0/codec#0",
        "/proc/asound/cardx/codec#y",
        "/sys/class/sound/card0/id",
        "/sys/class/sound/cardx/id",
        "/sys/bus/pci/drivers/snd_hda_intel/0000:00:1f.3",
        *(f"/{HW}/{file}" for file in ("vendor_name", "chip_name", "init_pin_configs", "driver_pin_configs")),
    ]
)


@given(
    st.dictionaries(PATHS, CONTENT).map(lambda files: json.dumps(files).encode()) | st.binary(max_size=100),
    st.sampled_from(["tree", "other"]),
)
def test_any_evidence_is_interpreted(data: bytes, kind: str) -> None:
    for item in PROBE.interpret([Evidence(kind, "x", data, "test", TIME)]):
        assert type(item).from_json(json.loads(json.dumps(item.to_json()))) == item
