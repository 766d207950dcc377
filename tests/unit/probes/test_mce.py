from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.host import Host
from agent.model import Evidence, Gap, Outcome, Reading, Readings, Tree
from agent.probes.mce import PROBE

TIME = "2026-01-02T03:04:05.000Z"
INTERRUPTS = """            CPU0       CPU1
  0:         36          0   IO-APIC   2-edge      timer
NMI:         12         11   Non-maskable interrupts
TRM:          0          0   Thermal event interrupts
THR:          0          4   Threshold APIC interrupts
DFR:          0          0   Deferred Error APIC interrupts
MCE:          1          1   Machine check exceptions
MCP:         59         60   Machine check polls
ERR:          0
"""
CHECK = "/sys/devices/system/machinecheck/machinecheck0"
FILES = {
    "/proc/interrupts": INTERRUPTS,
    f"{CHECK}/check_interval": "12c\n",
    f"{CHECK}/bank0": "ff",
    f"{CHECK}/bank1": "ff",
}

# The tables as rasdaemon 0.6.8 makes them (ras-record.c), without the columns that nobody here reads.
SCHEMA = """
CREATE TABLE mc_event (id INTEGER PRIMARY KEY, timestamp TEXT, err_count INTEGER, err_type TEXT, err_msg TEXT,
  label TEXT, mc INTEGER, top_layer INTEGER);
CREATE TABLE mce_record (id INTEGER PRIMARY KEY, timestamp TEXT, mcgcap INTEGER, mcgstatus INTEGER, status INTEGER,
  addr INTEGER, cpu INTEGER, bank INTEGER, bank_name TEXT, error_msg TEXT, mcistatus_msg TEXT);
"""
CORRECTED = 0x8C00004000010090 - 2**64
UNCORRECTED = 0xBE00000000800400 - 2**64


def tree(files: dict[str, object]) -> Evidence:
    return Evidence("tree", "", Tree(files).encode(), "", TIME)


def database(root: Path) -> Path:
    path = root / "var/lib/rasdaemon/ras-mc_event.db"
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    record = "INSERT INTO mce_record (timestamp, status, bank_name, error_msg, mcistatus_msg) VALUES (?, ?, ?, ?, ?)"
    connection.execute(record, ("2025-12-01 00:00:00 +0000", CORRECTED, "bank=8", "memory read", "Corrected_error"))
    connection.execute(
        record, ("2026-01-02 01:04:05 +0000", UNCORRECTED, "bank=3", "Internal Timer error", "Uncorrected")
    )
    event = "INSERT INTO mc_event (timestamp, err_count, err_type, label) VALUES (?, ?, ?, ?)"
    for kind, count in (("Corrected", 2), ("Corrected", 3), ("Uncorrected", 1), ("Info", 9)):
        connection.execute(event, ("2025-12-01 00:00:00 +0000", count, kind, "DIMM_A1"))
    connection.commit()
    connection.close()
    return path


def readings(evidence: list[Evidence]) -> Readings:
    return Readings(s for s in PROBE.interpret(evidence) if isinstance(s, Reading))


def test_counters_are_those_of_the_processor_with_most() -> None:
    found = readings([tree(FILES)])
    assert {r.name: r.value for r in found} == {
        "mce.exceptions": 1,
        "mce.polls": 60,
        "mce.threshold_interrupts": 4,
        "mce.deferred_interrupts": 0,
        "mce.banks": 2,
        "mce.check_interval": 300,
    }


def test_a_kernel_that_tells_nothing_is_not_judged() -> None:
    for files in ({}, {"/proc/interrupts": "           CPU0\nTRM:          0   Thermal event interrupts\n"}):
        gaps = [s for s in PROBE.interpret([tree(dict(files))]) if isinstance(s, Gap)]
        assert [(g.outcome, g.essential) for g in gaps] == [(Outcome.UNSUPPORTED, True)]
    assert [s for s in PROBE.interpret([tree(dict(FILES))]) if isinstance(s, Gap)] == []


def test_records_of_rasdaemon(tmp_path: Path) -> None:
    path = database(tmp_path)
    before = path.read_bytes(), sorted(path.parent.iterdir())
    gathered = list(PROBE.gather(Host(str(tmp_path))))
    assert (path.read_bytes(), sorted(path.parent.iterdir())) == before
    evidence = [Evidence(e.kind, e.subject, e.data, e.source, TIME) for e in gathered if isinstance(e, Evidence)]
    found = readings(evidence)
    assert (found.number("mce.records.corrected"), found.number("mce.records.uncorrected")) == (1, 1)
    assert found.number("mce.records.uncorrected.age") == 2.0
    message = found.get("mce.records.message")
    assert message is not None
    assert message.value == "bank=3 Internal Timer error Uncorrected"
    assert found.number("mce.memory.corrected", "DIMM_A1") == 5
    assert found.number("mce.memory.uncorrected", "DIMM_A1") == 1


def test_a_writer_is_not_disturbed(tmp_path: Path) -> None:
    writer = sqlite3.connect(database(tmp_path))
    writer.execute("BEGIN EXCLUSIVE")
    assert [g for g in PROBE.gather(Host(str(tmp_path))) if isinstance(g, Gap)] == []
    writer.execute("INSERT INTO mc_event (err_type) VALUES ('Corrected')")
    writer.commit()
    writer.close()


def test_a_database_that_is_none_is_a_gap(tmp_path: Path) -> None:
    path = database(tmp_path)
    path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 9000)
    host = Host(str(tmp_path))
    host.is_root = True
    assert [(g.subject, g.outcome) for g in PROBE.gather(host) if isinstance(g, Gap)] == [("records", Outcome.ERROR)]


def test_no_rasdaemon_is_a_gap_with_a_remedy(tmp_path: Path) -> None:
    gaps = [g for g in PROBE.gather(Host(str(tmp_path))) if isinstance(g, Gap)]
    assert [(g.outcome, g.essential, g.remedy) for g in gaps] == [
        (Outcome.UNSUPPORTED, False, "sudo apt-get install rasdaemon")
    ]


ROW = st.dictionaries(
    st.sampled_from(["status", "timestamp", "error_msg", "err_type", "err_count", "label", "bank_name"]),
    st.none() | st.integers() | st.floats() | st.text() | st.sampled_from(["Corrected", "2026-01-02 01:04:05 +0000"]),
)


@given(
    st.builds(
        Evidence,
        st.sampled_from(["tree", "rasdaemon"]),
        st.just(""),
        st.binary()
        | st.text(" MCETHRP:0123456789\n").map(
            lambda t: Tree({"/proc/interrupts": t, f"{CHECK}/check_interval": t}).encode()
        )
        | st.dictionaries(
            st.sampled_from(["mce_record", "mc_event"]), st.lists(ROW | st.integers()) | st.integers()
        ).map(lambda tables: json.dumps(tables).encode()),
        st.just(""),
        st.sampled_from([TIME, "", "yesterday"]),
    )
)
def test_no_evidence_breaks_it(evidence: Evidence) -> None:
    for thing in PROBE.interpret([evidence]):
        assert type(thing).from_json(json.loads(json.dumps(thing.to_json()))) == thing
