"""What the sound readings mean."""

from __future__ import annotations

import pytest

from agent.catalogue.entry import LANGUAGES, message
from agent.model import Evidence, Finding, Reading, Readings, Severity, Tree, Verdict
from agent.probes.audio import PROBE
from agent.rules.audio import no_card, silent_codec

CONTROLLER = {"/sys/bus/pci/drivers/snd_hda_intel/0000:00:1f.3": {"link": "../../../../devices/0000:00:1f.3"}}
NONE = {"/proc/asound/cards": "--- no soundcards ---\n"}
CARD = {"/proc/asound/cards": " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n"}
CODEC = "/proc/asound/card0/codec#0"


def judged(*files: dict[str, object]) -> list[Finding]:
    tree = Tree({path: file for part in files for path, file in part.items()})
    evidence = Evidence("tree", "", tree.encode(), "", "2026-01-01T00:00:00Z")
    readings = Readings(r for r in PROBE.interpret([evidence]) if isinstance(r, Reading))
    return [f for rule in (no_card, silent_codec) for f in rule(readings)]


def test_a_controller_that_brought_no_card() -> None:
    (finding,) = judged(CONTROLLER, NONE)
    assert (finding.code, finding.component) == ("SND-7600", "motherboard")
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.WARNING)
    assert {r.name for r in finding.evidence} == {"audio.controllers", "audio.cards"}
    for language in LANGUAGES:
        assert "1" in message(finding, language)


PCM = "/proc/asound/pcm"
WITH_USB = {"/proc/asound/cards": CARD["/proc/asound/cards"] + " 1 [CAM            ]: USB-Audio - HD Camera\n"}


@pytest.mark.parametrize(
    ("cards", "pcm", "codes"),
    [
        (CARD, "", ["SND-7600"]),
        (CARD, "00-00: ALC256 Analog : ALC256 Analog : playback 1\n", []),
        (CARD, {"error": "EACCES"}, []),
        (WITH_USB, "01-00: USB Audio : USB Audio : capture 1\n", ["SND-7600"]),
        (WITH_USB, "00-00: ALC256 Analog : ALC256 Analog : capture 1\n", []),
    ],
)
def test_a_card_without_anything_behind_it(cards: dict[str, object], pcm: object, codes: list[str]) -> None:
    assert [f.code for f in judged(CONTROLLER, cards, {PCM: pcm})] == codes


def test_an_empty_card_on_usb_is_none_of_the_controllers() -> None:
    assert judged(CONTROLLER, {"/proc/asound/cards": " 1 [MIDI           ]: USB-Audio - MIDI\n"}, {PCM: ""}) == []


@pytest.mark.parametrize("files", [(NONE,), (CONTROLLER, CARD), (CONTROLLER,), ()])
def test_no_controller_or_a_card_or_nothing_known(files: tuple[dict[str, object], ...]) -> None:
    assert judged(*files) == []


def test_a_codec_that_went_silent() -> None:
    told = "Codec: Realtek ALC236\nAddress: 0\nAFG Function Id: 0x1 (unsol 1)\nInvalid AFG subtree\n"
    (finding,) = judged(CONTROLLER, CARD, {CODEC: told})
    assert (finding.code, finding.subject) == ("SND-7613", "hwC0D0")
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.WARNING)
    for language in LANGUAGES:
        assert "Realtek ALC236" in message(finding, language)


@pytest.mark.parametrize(
    "told",
    [
        "Codec: Realtek ALC236\nAFG Function Id: 0x1 (unsol 1)\nNode 0x02 [Audio Output] wcaps 0x41d: Stereo\n",
        "Codec: A Modem\nMFG Function Id: 0x2 (unsol 1)\nModem Function Group: 0x1\n",
        {"error": "EIO"},
        "",
    ],
)
def test_a_codec_that_answers_or_has_nothing_to_say(told: object) -> None:
    assert judged(CONTROLLER, CARD, {CODEC: told}) == []
