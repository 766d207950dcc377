"""Sound: which cards and codecs there are, whether the codecs answer, and the speakers and microphones built in.

What a codec's pins are wired to is what the firmware wrote into their configuration default registers (High Definition
Audio Specification 1.0a, 7.3.3.31): device in bits 23:20, connectivity in 31:30, where it is in 29:28.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from agent.host import Host
from agent.model import Component, ComponentKind, Evidence, Gap, Outcome, Reading, Text, Tree, Value
from agent.probes._probe import Probe, Seen
from agent.probes._udev import printable

CARDS = "/proc/asound/cards"
PCM = "/proc/asound/pcm"
CODECS = "/proc/asound/card*/codec#*"
SOUND = "/sys/class/sound"
CONTROLLERS = ("/sys/bus/pci/drivers/snd_hda_intel/*:*", "/sys/bus/pci/drivers/sof-audio-pci-*/*:*")
"""PCI devices that a driver for codecs looks after (links). A co-processor for microphones only is none of them."""
CODEC_TIMEOUT_S = 5.0
"""Seconds for one codec; ours. The kernel asks it for every part, and waits 1 s for each answer that does not come
(sound/pci/hda/hda_controller.c)."""

_FIXED, _BOTH = 2, 3
_SPEAKER, _MICROPHONE = 0x1, 0xA
_INTERNAL, _OTHER = 1, 3  # "other" is the lid that holds the panel


class AudioProbe(Probe):
    """Cards and codecs with their readings.

    From ``/proc/asound`` (Documentation/sound/designs/procfile.rst): ``audio.cards`` (count) for the unit, and for
    subject ``card0`` its name as ``audio.card``, what drives it as ``audio.card.driver`` (``HDA-Intel``,
    ``USB-Audio``), ``audio.playback`` and ``audio.capture`` (count of streams that can run at once). For subject
    ``hwC0D0`` (card 0, codec 0) ``audio.codec``, its name, and ``audio.codec.responds`` (yes/no: whether it still told
    of its parts). ``audio.controllers`` (count) are those of ``/sys/bus/pci`` that
    should have brought a card.

    Components are the speakers and microphones that ``/sys/class/sound/hwC*D*/init_pin_configs`` and
    ``driver_pin_configs`` (Documentation/sound/hd-audio/notes.rst) call fixed and internal, subject ``hwC0D0/0x14`` by
    the pin; these were read when the codec was started, so they are there for one that no longer answers.
    """

    area: ClassVar[str] = "audio"
    timeout_s: ClassVar[float] = 10.0

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """What the kernel knows by itself, then each codec side by side, since reading one wakes it."""
        pins = (f"{SOUND}/hwC*D*/{file}" for file in ("vendor_name", "chip_name", "*_pin_configs"))
        yield host.tree(CARDS, PCM, f"{SOUND}/card*/id", *pins, *CONTROLLERS)
        paths = {f"hwC{path.split('/')[3][4:]}D{path.rpartition('#')[2]}": path for path in host.glob(CODECS)}
        yield from host.each(paths, lambda name: host.tree(paths[name], subject=name), timeout_s=CODEC_TIMEOUT_S)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """Cards, codecs and what is wired to them; an essential gap where there is no card."""
        tree = Tree.merged(evidence)
        times = {e.subject: e.time for e in evidence if e.kind == "tree"}
        time = next(iter(times.values()), "")
        controllers = sum(len(tree.paths(pattern)) for pattern in CONTROLLERS)
        if controllers:
            yield _reading("controllers", controllers, "count", "", source=CONTROLLERS[0], time=time)
        cards = _cards(tree)
        if cards or tree.text(CARDS) is not None:
            yield _reading("cards", len(cards), "count", "", source=CARDS, time=time)
        if not cards:
            yield _no_card(controllers)
        for number, name in cards.items():
            yield _reading("card", name, "", f"card{number}", source=CARDS, time=time)
        for number, driver in _listed(tree, r"(\S{1,40}) - .*"):
            yield _reading("card.driver", driver, "", f"card{number}", source=CARDS, time=time)
        yield from _streams(tree, [f"card{number}" for number in cards], time)
        yield from _codecs(tree, times, time)


PROBE = AudioProbe()


def _reading(
    quantity: str,
    value: Value,
    unit: str,
    subject: str,
    *,
    source: str,
    time: str,
    component: ComponentKind = ComponentKind.MOTHERBOARD,
) -> Reading:
    return Reading(f"audio.{quantity}", value, unit, component, subject, source, time)


def _no_card(controllers: int) -> Gap:
    if controllers:
        return Gap("", Outcome.ERROR, Text("could not be read: {error}", {"error": CARDS}), essential=True)
    return Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)


def _cards(tree: Tree) -> dict[str, str]:
    """Number and name of each card: `` 0 [PCH            ]: HDA-Intel - HDA Intel PCH``."""
    cards = {number: printable(name) for number, name in _listed(tree, r"\S+ - (.{1,80})")}
    for path in tree.paths(f"{SOUND}/card*/id"):
        number = path.split("/")[4].removeprefix("card")
        if number not in cards:
            cards[number] = printable(tree.text(path))
    return cards


def _listed(tree: Tree, rest: str) -> list[tuple[str, str]]:
    """Number of each card and what the group in ``rest`` matches behind its handle."""
    line = r"^ *(\d{1,3}) \[[^\]\n]*\]: " + rest + "$"
    return re.findall(line, tree.text(CARDS) or "", re.ASCII | re.MULTILINE)


def _streams(tree: Tree, cards: Sequence[str], time: str) -> Iterator[Reading]:
    """Of each card: ``00-00: ALC256 Analog : ALC256 Analog : playback 1 : capture 1``. A card that no line is about has
    none.
    """
    line = re.compile(r"(\d{2,3})-\d{2,3}: .*?(?: : playback (\d{1,4}))?(?: : capture (\d{1,4}))?", re.ASCII)
    playback: Counter[str] = Counter()
    capture: Counter[str] = Counter()
    text = tree.text(PCM)
    for match in map(line.fullmatch, map(str.strip, (text or "").splitlines())):
        if match:
            card = f"card{int(match[1])}"
            playback[card] += int(match[2] or 0)
            capture[card] += int(match[3] or 0)
    for card in dict.fromkeys([*playback, *cards]) if text is not None else ():
        yield _reading(
            "playback", playback[card], "count", card, source=PCM, time=time, component=ComponentKind.SPEAKER
        )
        yield _reading(
            "capture", capture[card], "count", card, source=PCM, time=time, component=ComponentKind.MICROPHONE
        )


def _codecs(tree: Tree, times: dict[str, str], time: str) -> Iterator[Seen]:
    asked = {f"hwC{p.split('/')[3][4:]}D{p.rpartition('#')[2]}": p for p in tree.paths(CODECS)}
    known = dict.fromkeys(path.split("/")[4] for path in tree.paths(f"{SOUND}/hwC*D*/*"))
    for codec in {**known, **asked}:
        base, path = f"{SOUND}/{codec}", asked.get(codec, "")
        said = tree.text(path) or ""
        when = times.get(codec, time)
        name = " ".join(filter(None, (tree.text(f"{base}/{file}") for file in ("vendor_name", "chip_name"))))
        match = re.match(r"Codec: (.{1,80})$", said, re.MULTILINE)
        name = printable(name or (match[1] if match else ""))
        if name:
            yield _reading("codec", name, "", codec, source=base if codec in known else path, time=when)
        error = tree.error(path)
        if error:
            yield Gap(codec, Outcome.ERROR, Text("could not be read: {error}", {"error": error}))
        if re.search(r"^Invalid AFG subtree", said, re.MULTILINE):
            yield _reading("codec.responds", False, "", codec, source=path, time=when)
        elif re.search(r"^Node 0x", said, re.MULTILINE):
            yield _reading("codec.responds", True, "", codec, source=path, time=when)
        pins = {**_pins(tree, f"{base}/init_pin_configs"), **_pins(tree, f"{base}/driver_pin_configs")}
        for pin, default in (pins or _pins_told(said)).items():
            kind = _built_in(default)
            if kind is not None:
                source = f"{base}/init_pin_configs" if pins else path
                yield Component(kind, f"{codec}/{pin}", description=name, source=source)


def _pins(tree: Tree, path: str) -> dict[str, int]:
    """Configuration default by pin: ``0x14 0x90170110``."""
    lines = re.findall(r"^(0x[0-9a-f]{2}) (0x[0-9a-f]{8})$", tree.text(path) or "", re.MULTILINE)
    return {pin: int(default, 16) for pin, default in lines}


def _pins_told(said: str) -> dict[str, int]:
    """The same from what the codec tells: ``Node 0x14 [Pin Complex] …``, then ``  Pin Default 0x90170110: …``."""
    pins, pin = {}, ""
    for line in said.splitlines():
        match = re.match(r"Node (0x[0-9a-f]{2}) \[|  Pin Default (0x[0-9a-f]{8}):", line)
        if match and match[1]:
            pin = match[1]
        elif match and pin:
            pins[pin] = int(match[2], 16)
    return pins


def _built_in(default: int) -> ComponentKind | None:
    if default >> 30 & 3 not in {_FIXED, _BOTH} or default >> 28 & 3 not in {_INTERNAL, _OTHER}:
        return None
    device = default >> 20 & 0xF
    return {_SPEAKER: ComponentKind.SPEAKER, _MICROPHONE: ComponentKind.MICROPHONE}.get(device)
