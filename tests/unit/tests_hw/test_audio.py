"""Speakers that are heard, silent, turned down or stutter, and microphones that hear nothing; and that nothing of it is
kept.
"""

from __future__ import annotations

import array
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.audio_test import breaks_off, not_heard, one_speaker_silent
from agent.tests_hw.audio import LISTEN_S, RATE, TEST, Devices, burst, choose, hear, volume

TIME = "2026-01-02T03:04:05.678Z"
WINDOWS = 4 * LISTEN_S
# speaker-test 1.2.8 of Debian 12, over a device that takes everything, and over a card that is not there.
PLAYED = """
speaker-test 1.2.8

Playback device is plughw:0,0
Stream parameters are 48000Hz, S16_LE, 2 channels
Sine wave rate is 436.0000Hz
Rate set to 48000Hz (requested 48000Hz)
Buffer size range from 1 to 206158430
Period size range from 1 to 206158431
Requested period time 100000 us
Requested buffer time 500000 us
was set period_size = 4800
was set buffer_size = 24000
  - Front Right
"""
NOT_OPENED = """
speaker-test 1.2.8

Playback device is plughw:0,0
Stream parameters are 48000Hz, S16_LE, 2 channels
Sine wave rate is 440.0000Hz
Playback open error: -2,No such file or directory
ALSA lib confmisc.c:165:(snd_config_get_card) Cannot get card index for 0
"""
# In the formats of the kernel and of amixer 1.2.8.
CARDS = """ 0 [Camera         ]: USB-Audio - HD Camera
                      Hibertek HD Camera at usb-0000:00:14.0-6, high speed
 1 [PCH            ]: HDA-Intel - HDA Intel PCH
                      HDA Intel PCH at 0xb1128000 irq 145
"""
PCM = """00-00: USB Audio : USB Audio : playback 1 : capture 1
01-03: HDMI 0 : HDMI 0 : playback 1
01-00: ALC256 Analog : ALC256 Analog : playback 1 : capture 1
"""
MIXER = """Simple mixer control 'Master',0
  Capabilities: pvolume pvolume-joined pswitch pswitch-joined
  Playback channels: Mono
  Limits: Playback 0 - 87
  Mono: Playback 57 [66%] [-22.50dB] [on]
Simple mixer control 'Headphone',0
  Capabilities: pvolume pswitch
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 87
  Mono:
  Front Left: Playback 0 [0%] [-65.25dB] [off]
  Front Right: Playback 0 [0%] [-65.25dB] [off]
Simple mixer control 'Speaker',0
  Capabilities: pvolume pswitch
  Playback channels: Front Left - Front Right
  Limits: Playback 0 - 87
  Mono:
  Front Left: Playback 87 [100%] [0.00dB] [on]
  Front Right: Playback 43 [49%] [-33.00dB] [on]
Simple mixer control 'Capture',0
  Capabilities: cvolume cswitch
  Capture channels: Front Left - Front Right
  Limits: Capture 0 - 63
  Front Left: Capture 39 [62%] [12.00dB] [on]
  Front Right: Capture 39 [62%] [12.00dB] [on]
"""


def tree(cards: str = CARDS, pcm: str = PCM) -> Evidence:
    data = json.dumps({"/proc/asound/cards": cards, "/proc/asound/pcm": pcm}).encode()
    return Evidence("tree", "", data, "/proc/asound", TIME)


def mixer(text: str = MIXER) -> Evidence:
    return Evidence("amixer", "card1", text.encode(), "amixer -c 1 scontents", TIME, 0)


def played(side: str, text: str = PLAYED, exit_status: int | None = 0, problem: Text | None = None) -> Evidence:
    return Evidence(
        "speaker-test", f"card1/{side}", text.encode(), "speaker-test", TIME, exit_status, 5.2, problem=problem
    )


def recorded(side: str, share: float = 0.9, room: float = 0.0, same: bool = False, exit_status: int = 0) -> Evidence:
    shares = [room] * 5 + [share] * (WINDOWS - 5)
    loaded = {"pitch": 1000, "levels": [0.02] * WINDOWS, "shares": shares, "clipped": 0, "same": same}
    return Evidence("audio-test-json", f"card1/{side}", json.dumps(loaded).encode(), "arecord", TIME, exit_status)


def both(left: float, right: float, **more: Any) -> list[Evidence]:
    once = [played("left"), recorded("left", left, **more), played("right"), recorded("right", right, **more)]
    return [mixer(), *once, *once]


def of(side: str, *evidence: Evidence) -> dict[str, object]:
    return {
        s.name.removeprefix("audio_test."): s.value
        for s in TEST.interpret(evidence)
        if isinstance(s, Reading) and s.subject == f"card1/{side}"
    }


def judged(*evidence: Evidence) -> list[Finding]:
    readings = Readings(s for s in TEST.interpret(evidence) if isinstance(s, Reading))
    return [f for rule in (one_speaker_silent, not_heard, breaks_off) for f in rule(readings)]


def test_speakers_that_are_heard_are_measured_and_no_finding() -> None:
    assert of("right", *both(0.9, 0.8)) == {
        "played": 2,
        "errors": 0,
        "volume": 49,
        "listened": 2,
        "heard": 2,
        "silent": 0,
        "clipped": 0,
        "level": 2.0,
        "tone": 80.0,
        "room": 0.0,
    }
    assert judged(*both(0.9, 0.8)) == []


def test_what_hears_is_the_microphone_and_what_plays_the_speaker() -> None:
    parts = {s.name: s.component for s in TEST.interpret(both(0.9, 0.9)) if isinstance(s, Reading)}
    assert parts["audio_test.errors"] is ComponentKind.SPEAKER
    assert parts["audio_test.heard"] is ComponentKind.MICROPHONE


@pytest.mark.parametrize(
    ("evidence", "code", "subject"),
    [
        (both(0.9, 0.001), "SND-7621", "card1/right"),
        (both(0.001, 0.9), "SND-7621", "card1/left"),
        (both(0.001, 0.002), "SND-7637", "card1"),
        (
            [played("left", PLAYED + "Write error: -32,Broken pipe\n"), played("left", exit_status=1)],
            "SND-7645",
            "card1/left",
        ),
    ],
)
def test_speakers_that_do_not_work(evidence: list[Evidence], code: str, subject: str) -> None:
    (finding,) = judged(*evidence)
    assert (finding.code, finding.subject, finding.verdict) == (code, subject, Verdict.UNKNOWN)
    for language in LANGUAGES:
        assert "2" in message(finding, language)


def test_once_is_not_enough() -> None:
    assert judged(*both(0.9, 0.001)[:5]) == []
    assert judged(played("left", PLAYED + "Write error: -5,Input/output error\n")) == []


@pytest.mark.parametrize("text", [MIXER.replace("[on]", "[off]"), MIXER.replace("[49%]", "[9%]"), ""])
def test_what_is_turned_down_or_unknown_is_not_judged(text: str) -> None:
    assert judged(mixer(text), *both(0.9, 0.001)[1:]) == []


def test_a_microphone_that_gives_nothing_says_nothing_of_the_speakers() -> None:
    evidence = both(0.0, 0.0, same=True)
    assert (of("left", *evidence)["silent"], of("left", *evidence)["listened"]) == (2, 0)
    assert judged(*evidence) == []


def test_a_room_that_sounds_like_the_tone_is_not_the_tone() -> None:
    assert of("left", *both(0.3, 0.3, room=0.2))["heard"] == 0


def test_without_a_microphone_it_is_said_that_the_tone_was_played() -> None:
    evidence = [mixer(), played("left"), played("right")]
    assert of("left", *evidence) == {"played": 1, "errors": 0, "volume": 66}
    gaps = [s for s in TEST.interpret(evidence) if isinstance(s, Gap)]
    assert [(g.subject, g.essential) for g in gaps] == [("card1/left", False), ("card1/right", False)]
    assert gaps[0].reason == Text("no microphone listened")


def test_a_microphone_in_use_is_a_gap_that_is_not_essential() -> None:
    broken = Evidence("audio-test-json", "card1/left", b"{}", "arecord -D plughw:1,0", TIME, 1)
    (gap,) = (s for s in TEST.interpret([played("left"), broken]) if isinstance(s, Gap))
    assert (gap.outcome, gap.essential) == (Outcome.ERROR, False)


@pytest.mark.parametrize(
    ("error", "reason", "outcome"),
    [
        ("-16,Device or resource busy", "another program is using it", Outcome.UNSUPPORTED),
        ("-13,Permission denied", "needs root", Outcome.UNSUPPORTED),
        ("-2,No such file or directory", "{program} failed: {error}", Outcome.ERROR),
    ],
)
def test_a_card_that_cannot_be_opened(error: str, reason: str, outcome: Outcome) -> None:
    text = NOT_OPENED.replace("-2,No such file or directory", error)
    (gap,) = TEST.interpret([played("left", text, 1)])
    assert isinstance(gap, Gap)
    assert (gap.reason.template, gap.outcome, gap.essential) == (reason, outcome, True)


def test_who_may_not_use_the_card_is_told_who_may() -> None:
    """By the real program, of a card that nobody has."""
    host = Host()
    host.is_root = False
    evidence = [e for e in burst(host, Devices(31, "plughw:31,0", ""), "left", 1000) if isinstance(e, Evidence)]
    (gap,) = TEST.interpret(evidence)
    assert isinstance(gap, Gap)
    if gap.reason.template == "{program} is not installed":
        pytest.skip("speaker-test is not installed")
    assert (gap.outcome, gap.essential, gap.remedy) == (Outcome.UNSUPPORTED, True, "sudo aiodiag test audio")


def test_a_missing_program_is_named_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "speaker-test"})
    source = "speaker-test -D plughw:1,0"
    (gap,) = TEST.interpret([Evidence("speaker-test", "card1/left", b"", source, TIME, None, problem=missing)])
    assert isinstance(gap, Gap)
    assert (gap.essential, gap.remedy) == (True, "sudo apt-get install alsa-utils")


def test_the_units_own_card_plays_and_its_microphone_is_preferred() -> None:
    assert choose(tree()) == Devices(1, "plughw:1,0", "plughw:1,0")
    deaf = PCM.replace("ALC256 Analog : playback 1 : capture 1", "ALC256 Analog : playback 1")
    assert choose(tree(pcm=deaf)) == Devices(1, "plughw:1,0", "plughw:0,0")
    assert choose(tree(pcm="01-00: ALC256 Analog : ALC256 Analog : playback 1\n")) == Devices(1, "plughw:1,0", "")
    assert choose(tree(pcm=PCM.replace("01-00: ALC256 Analog : ALC256 Analog", "01-07: HDMI 1 : HDMI 1"))) is None


def test_the_lowest_control_on_the_way_counts() -> None:
    assert (volume(MIXER, "left"), volume(MIXER, "right")) == (66, 49)
    assert volume(MIXER.replace("[-22.50dB] [on]", "[-22.50dB] [off]"), "left") == 0
    assert volume(MIXER.partition("Simple mixer control 'Capture'")[2], "left") is None


def tone(pitch: float, loudness: float, noise: float = 0.0, seconds: float = 1.0) -> bytes:
    chance = random.Random(7)
    wave = (
        loudness * math.sin(2 * math.pi * pitch * n / RATE) + noise * chance.uniform(-1, 1)
        for n in range(int(seconds * RATE))
    )
    samples = array.array("h", (max(-32768, min(32767, round(32768 * x))) for x in wave))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


@pytest.mark.parametrize("pitch", [500, 1004, 2000])
def test_a_tone_is_told_from_others_and_from_noise(pitch: int) -> None:
    assert min(hear(tone(pitch, 0.1), pitch)["shares"]) > 0.99
    assert max(hear(tone(pitch + 40, 0.1), pitch)["shares"]) < 0.01
    assert max(hear(tone(pitch, 0.0, 0.1), pitch)["shares"]) < 0.01
    # as loud as the noise around it: half a square against a third of one
    assert min(hear(tone(pitch, 0.1, 0.1), pitch)["shares"]) > 0.5
    assert hear(tone(pitch, 0.1), pitch)["levels"][0] == pytest.approx(0.1 / math.sqrt(2), rel=0.01)


def test_silence_and_clipping_are_seen() -> None:
    assert hear(bytes(2 * RATE), 1000) | {"levels": [], "shares": []} == {
        "levels": [],
        "shares": [],
        "clipped": 0,
        "same": True,
    }
    assert hear(tone(1000, 2.0), 1000)["clipped"] > RATE / 2


def test_the_real_program_plays_what_is_heard(tmp_path: Path) -> None:
    """Over a device of ALSA that throws away what it is given, and keeps a copy."""
    kept = tmp_path / "tone"
    args = ["-D", f"tee:null,{kept},raw", "-t", "sine", "-f", "436", "-c", "2", "-s", "2", "-l", "1", "-S", "40"]
    more = ["-r", "48000", "-F", "S16_LE", "-b", "500000", "-p", "100000"]
    try:
        ran = subprocess.run(["/usr/bin/speaker-test", *args, *more], capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("speaker-test is not installed")
    samples = array.array("h", kept.read_bytes())
    left, right = hear(samples[::6].tobytes(), 436), hear(samples[1::6].tobytes(), 436)
    assert left["same"]
    assert min(right["shares"]) > 0.99
    assert max(right["levels"]) == pytest.approx(0.4 / math.sqrt(2), rel=0.02)
    said = Evidence("speaker-test", "card1/right", ran.stdout + ran.stderr, "speaker-test", TIME, ran.returncode)
    assert of("right", said) == {"played": 1, "errors": 0}


@given(st.binary(max_size=20_000), st.integers(125, 500))
def test_of_whatever_is_heard_only_numbers_are_kept(data: bytes, quarter: int) -> None:
    found = hear(data, 4 * quarter)
    assert set(found) == {"levels", "shares", "clipped", "same"}
    assert all(0 <= n <= 1 for n in (*found["levels"], *found["shares"]))


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)


@given(
    st.dictionaries(st.sampled_from(["levels", "shares", "clipped", "same"]), odd | st.lists(odd, max_size=30)),
    st.text(),
)
def test_odd_numbers_hurt_nobody(loaded: dict[str, Any], said: str) -> None:
    piece = Evidence("audio-test-json", "card1/left", json.dumps(loaded).encode(), "arecord", TIME, 0)
    seen = list(TEST.interpret([mixer(said), played("left", said), piece]))
    assert seen
    for item in seen:
        json.dumps(item.to_json(), allow_nan=False)
