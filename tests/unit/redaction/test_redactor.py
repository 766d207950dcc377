from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.redaction import Kind, Known, Pseudonyms, Reading, Redactor, unescaped

ANNA = Known(Kind.USER, "anna")


def redactor(*known: Known) -> Redactor:
    return Redactor(known or (ANNA,), (), Pseudonyms())


def as_json(document: str) -> Any:
    return json.loads(redactor().text(document, Reading(json=True)))


@given(st.text(max_size=30).filter(lambda t: not t[-1:].isalnum() and t[-1:] not in ("_", "\\")))
def test_a_name_goes_behind_every_escape_and_the_rest_stays(before: str) -> None:
    for document in (json.dumps({"a": f"{before}anna"}), json.dumps({"a": f"{before}anna"}, ensure_ascii=False)):
        made = as_json(document)["a"]
        assert made != f"{before}anna"
        assert "anna" not in made.lower()
        if "@" not in before:
            assert made.startswith(before)


def test_json_in_strings_of_json_is_looked_into() -> None:
    inner = json.dumps({"log": "first\nanna said \u00e9\n3c:7c:3f:11:22:33"})
    made = as_json(json.dumps({"file": json.dumps({"again": inner})}))
    log = json.loads(json.loads(made["file"])["again"])["log"]
    assert log.startswith("first\nuser-")
    assert " said \u00e9\n" in log
    assert "3c:7c" not in log


def test_escapes_of_other_writers() -> None:
    document = r'{"a":"\/home\/anna\/x","b":"\u0061nna","c":"\ud83d\ude00 anna","d":"x\\nanna"}'
    made = redactor().text(document, Reading(json=True))
    values = json.loads(made)
    assert all("anna" not in value for value in values.values())
    assert r'"\/home\/user-' in made  # what is not replaced keeps its spelling
    assert r"\ud83d\ude00 user-" in made


def test_members_keep_their_names_and_paths_of_sysfs_too() -> None:
    document = json.dumps({"anna": "anna", "/sys/class/anna/x": "anna", "/home/anna/x": 1})
    made = as_json(document)
    assert list(made)[:2] == ["anna", "/sys/class/anna/x"]
    assert "/home/anna/x" not in made
    assert made["anna"] == made["/sys/class/anna/x"] != "anna"


def test_files_of_a_tree_that_are_no_text() -> None:
    edid = bytes(range(256))
    said = b"Panic#1 anna\n"
    wide = "Boot of anna".encode("utf-16-le")
    tree = {
        "/sys/class/drm/card0-eDP-1/edid": {"base64": base64.b64encode(edid).decode()},
        "/sys/firmware/efi/efivars/Boot0001-x": {"base64": base64.b64encode(b"\x07\0\0\0\1\0" + wide).decode()},
        "/sys/fs/pstore/dmesg-efi-1": {"base64": base64.b64encode(said + b"\0").decode()},
        "/var/lib/systemd/pstore/1/dmesg-efi-2.z": {"base64": base64.b64encode(edid).decode()},
        "/var/lib/x": {"base64": base64.b64encode(wide).decode()},
    }
    made = as_json(json.dumps(tree))
    values = list(made.values())
    assert values[0] == tree["/sys/class/drm/card0-eDP-1/edid"]
    assert values[1] == {"error": "REDACTED"}  # a name in what the firmware keeps
    assert base64.b64decode(values[2]["base64"]).startswith(b"Panic#1 user-")
    assert values[3] == {"error": "REDACTED"}
    assert base64.b64decode(values[4]["base64"]).decode("utf-16-le").startswith("Boot of user-")


@given(st.binary(max_size=300))
def test_a_text_without_names_stays_to_the_byte(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    unknown = Redactor([Known(Kind.USER, "nobody-of-this-name")], (), Pseudonyms())
    made = unknown.text(text)
    if not unknown.pseudonyms.mapping:
        assert made.encode("utf-8", "surrogateescape") == data


@given(st.recursive(st.text(max_size=20) | st.integers(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_json_stays_json(value: Any) -> None:
    for document in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        unknown = redactor()
        made = json.loads(unknown.text(document, Reading(json=True)))
        assert made == value or unknown.pseudonyms.mapping


def test_strings_with_escapes_in_a_text_are_read_as_json_reads_them() -> None:
    said = ["one\ntwo\t3", 'caf\u00e9 "x"', "a/b", "\U0001f600"]
    text = "log: " + json.dumps(["plain", *said]).replace("a/b", "a\\/b") + ' "not \\q json"'
    assert list(unescaped(text)) == said
