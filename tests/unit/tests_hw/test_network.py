"""Links that hold, drop and slow down, and routers that answer, lose some, or say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue.entry import LANGUAGES, message
from agent.host import Host
from agent.model import ComponentKind, Evidence, Finding, Gap, Outcome, Reading, Readings, Text, Verdict
from agent.rules.network_test import link_lost, link_slower, unanswered
from agent.tests_hw import Bout
from agent.tests_hw._test import Measured
from agent.tests_hw.network import _LINES, TEST, routers

TIME = "2026-01-02T03:04:05.678Z"
NET = "/sys/class/net"
# iputils 20221126 of Debian 12, over a real network card, and over a pair of virtual ones whose other end went away.
SOUND = """PING 192.0.2.1 (192.0.2.1) from 192.0.2.2 eth0: 777(805) bytes of data.

--- 192.0.2.1 ping statistics ---
40 packets transmitted, 40 received, 0% packet loss, time 2174ms
rtt min/avg/max/mdev = 0.251/0.345/0.422/0.032 ms
"""
LATE = """PING 10.99.0.1 (10.99.0.1) from 10.99.0.2 hv0: 1472(1500) bytes of data.

--- 10.99.0.1 ping statistics ---
60 packets transmitted, 60 received, 0% packet loss, time 4106ms
rtt min/avg/max/mdev = 0.035/61.406/1004.089/230.059 ms, pipe 4
"""
LOSSY = """PING 10.99.0.1 (10.99.0.1) from 10.99.0.2 hv0: 777(805) bytes of data.

--- 10.99.0.1 ping statistics ---
40 packets transmitted, 31 received, 22.5% packet loss, time 2251ms
rtt min/avg/max/mdev = 0.052/0.062/0.121/0.012 ms
"""
SILENT = """PING 10.99.0.7 (10.99.0.7) from 10.99.0.2 hv0: 1472(1500) bytes of data.

--- 10.99.0.7 ping statistics ---
20 packets transmitted, 0 received, 100% packet loss, time 3102ms
pipe 19
"""
UNREACHABLE = "ping: connect: Network is unreachable\n"
ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	100	00000000	0	0	0
wlan0	00000000	FE01A8C0	0003	0	0	600	00000000	0	0	0
wlan0	00000000	0101A8C0	0003	0	0	20	00000000	0	0	0
ppp0	00000000	00000000	0001	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


def look(down: int = 1, speed: int = 1000, name: str = "eth0", wifi: bool = False, state: str = "up") -> Evidence:
    files: dict[str, Any] = {
        "device": {"link": "../../../0000:02:00.0"},
        "type": "1\n",
        "uevent": f"INTERFACE={name}\nIFINDEX=2\n",
        "operstate": f"{state}\n",
        "carrier_down_count": f"{down}\n",
        "speed": {"error": "EINVAL"} if wifi else f"{speed}\n",
        **({"phy80211": {"link": "../../ieee80211/phy0"}} if wifi else {}),
    }
    data = json.dumps({f"{NET}/{name}/{file}": value for file, value in files.items()}).encode()
    return Evidence("tree", "", data, f"{NET}/{name}", TIME)


def ping(text: str, exit_status: int | None = 0, name: str = "eth0", problem: Text | None = None) -> Evidence:
    return Evidence("ping", name, text.encode(), f"ping -n -q -I {name}", TIME, exit_status, 2.0, problem=problem)


def values(*evidence: Evidence) -> dict[str, object]:
    return {s.name.removeprefix("network_test."): s.value for s in TEST.interpret(evidence) if isinstance(s, Reading)}


def gaps(*evidence: Evidence) -> list[Gap]:
    return [s for s in TEST.interpret(evidence) if isinstance(s, Gap)]


def judged(*evidence: Evidence) -> list[Finding]:
    readings = Readings(s for s in TEST.interpret(evidence) if isinstance(s, Reading))
    return [f for rule in (link_lost, link_slower, unanswered) for f in rule(readings)]


def test_a_link_that_holds_is_measured_and_no_finding() -> None:
    evidence = (look(), ping(SOUND), look(), ping(LATE), look())
    seen = values(*evidence)
    assert seen == {
        "down": 0,
        "speed": 1_000_000_000,
        "speed_lowest": 1_000_000_000,
        "sent": 100,
        "lost": 0,
        "rtt": pytest.approx((40 * 0.000345 + 60 * 0.061406) / 100),
        "rtt_worst": pytest.approx(1.004089),
    }
    assert gaps(*evidence) == []
    assert judged(*evidence) == []


@pytest.mark.parametrize(
    ("evidence", "code", "numbers"),
    [
        ((look(3), ping(SOUND), look(5)), "NET-7443", ("2",)),
        ((look(), ping(SOUND), look(speed=100), look()), "NET-7456", ("1000", "100")),
        ((look(), ping(LOSSY), ping(LOSSY), look()), "NET-7462", ("80", "18")),
    ],
)
def test_a_link_that_does_not_hold(evidence: tuple[Evidence, ...], code: str, numbers: tuple[str, ...]) -> None:
    (finding,) = judged(*evidence)
    assert (finding.code, finding.subject, finding.verdict) == (code, "eth0", Verdict.UNKNOWN)
    for language in LANGUAGES:
        assert all(number in message(finding, language) for number in numbers)


def test_what_is_lost_while_the_link_is_away_is_no_finding_of_its_own() -> None:
    assert [f.code for f in judged(look(1), ping(LOSSY), ping(LOSSY), look(2))] == ["NET-7443"]


def test_a_few_that_are_lost_say_nothing() -> None:
    assert judged(look(), ping(LOSSY), look()) == []
    assert judged(look(), ping(LOSSY), ping(LOSSY), *[ping(SOUND)] * 8, look()) == []


def test_wifi_is_measured_and_not_judged() -> None:
    evidence = [look(1, name="wlan0", wifi=True), *[ping(LOSSY, name="wlan0")] * 3, look(4, name="wlan0", wifi=True)]
    assert values(*evidence)["lost"] == 27
    assert values(*evidence)["down"] == 3
    assert {s.component for s in TEST.interpret(evidence) if isinstance(s, Reading)} == {ComponentKind.WIFI}
    assert judged(*evidence) == []


def test_a_router_that_never_answers_is_no_loss() -> None:
    evidence = (look(), ping(SILENT, 1), look())
    assert set(values(*evidence)) == {"down", "speed", "speed_lowest"}
    assert [(g.subject, g.essential) for g in gaps(*evidence)] == [("eth0", False), ("", True)]
    assert judged(*evidence) == []


def test_a_link_that_was_lost_is_told_without_any_answer() -> None:
    assert [f.code for f in judged(look(1), ping(SILENT, 1), look(2))] == ["NET-7443"]


def test_one_burst_without_a_way_is_a_gap_and_the_others_count() -> None:
    (gap,) = gaps(look(), ping(SOUND), ping(UNREACHABLE, 2), look())
    assert (gap.subject, gap.outcome, gap.essential) == ("eth0", Outcome.ERROR, False)
    assert "Network is unreachable" in str(gap.reason)
    assert values(look(), ping(SOUND), ping(UNREACHABLE, 2), look())["sent"] == 40


def test_a_counter_that_began_anew_is_not_counted() -> None:
    assert "down" not in values(look(7), ping(SOUND), look(0))


def test_a_driver_that_knows_no_speed() -> None:
    assert "speed" not in values(look(speed=-1), ping(SOUND), look(speed=-1))
    assert values(look(), ping(SOUND), look(speed=-1))["speed_lowest"] == 1_000_000_000


def test_a_missing_program_is_named_with_its_package() -> None:
    missing = Text("{program} is not installed", {"program": "ping"})
    (first, _) = gaps(look(), ping("", None, problem=missing), look())
    assert first.remedy == "sudo apt-get install iputils-ping"


def test_a_unit_that_is_not_connected_says_so() -> None:
    (gap,) = gaps(look(state="down"))
    assert gap.reason == Text("no network is connected")
    assert gap.essential


def test_routers_are_those_with_the_lowest_metric(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text(ROUTES)
    assert routers(Host(str(tmp_path))) == {"eth0": "192.0.2.1", "wlan0": "192.168.1.1"}


@pytest.mark.parametrize("text", [SOUND, LATE, LOSSY, SILENT, UNREACHABLE])
def test_what_is_kept_names_nobody(text: str) -> None:
    kept = "\n".join(line for line in text.splitlines() if _LINES.fullmatch(line))
    assert kept
    assert not any(word in kept for word in ("192.0.2", "10.99.0", "bytes of data"))


def test_a_name_with_a_mac_address_is_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/net/enx001122334455"
    folder.mkdir(parents=True)
    (folder / "device").symlink_to("../../../1-1:1.0")
    (folder / "type").write_text("1\n")
    (folder / "operstate").write_text("up\n")
    (folder / "uevent").write_text("INTERFACE=enx001122334455\n")
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/route").write_text(ROUTES.replace("eth0", "enx001122334455"))
    items: list[Evidence | Gap] = list(TEST.exercise(Host(str(tmp_path)), Bout(1.5, 1, tmp_path)))
    pieces = [i for i in items if isinstance(i, Evidence)]
    assert [(p.kind, p.subject) for p in pieces] == [("tree", ""), ("ping", "enx-1"), ("tree", "")]
    assert not any("001122334455" in f"{p.source} {p.text()}" for p in pieces)
    assert not any("192.0.2.1" in f"{p.source} {p.text()}" for p in pieces)


@given(st.integers(0, 2000), st.integers(0, 2000), st.text(max_size=20), st.integers(-5, 5), st.integers(-5, 2**70))
def test_odd_counts_hurt_nobody(sent: int, received: int, tail: str, down: int, speed: int) -> None:
    text = f"{sent} packets transmitted, {received} received, 0% packet loss\nrtt min/avg/max/mdev = 1.000/2.000{tail}"
    seen: list[Measured] = list(TEST.interpret([look(), ping(text), look(down, speed)]))
    for reading in (s for s in seen if isinstance(s, Reading)):
        assert isinstance(reading.value, int | float)
        assert 0 <= reading.value <= 1e15
