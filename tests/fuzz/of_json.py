"""Changes by somebody who knows the envelope and the statement, with and without a key to sign them with."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.fuzz.mutant import Mutant, Mutation, Parts, Seed, pack
from uploader import dsse
from uploader.bundle import format as fmt
from uploader.keys import SigningKey


@dataclass(frozen=True)
class Raw:
    """Text that stands in JSON as it is, whether it is JSON or not."""

    text: str


@dataclass(frozen=True)
class Pairs:
    """An object that may have a key twice."""

    pairs: list[tuple[str, Any]]


def spell(value: Any) -> str:
    """Compact JSON, and what only looks like it."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        value = Pairs(list(value.items()))
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{spell(member)}" for name, member in value.pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def written(value: Any) -> bytes:
    return spell(value).encode("utf-8", "surrogatepass")


NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1 << 53, -(1 << 63), 1 << 64, "", "x", "\0", "\ud800", "é", "三" * 100),
    *([], {}, [[]], [None], {"": None}, "../../x", "=cmd|'/c calc'!A1", "<script>", "\x1b[2J", "0" * 64, "A" * 100_000),
    *map(Raw, ("NaN", "Infinity", "-Infinity", "1e400", "1" * 5000, "-", "01", "'x'", "tru", '"\\ud800"', '"\\x"', "")),
    *map(Raw, ("[" * 20 + "]" * 20, "[" * 3000 + "]" * 3000, '{"a":' * 500 + "1" + "}" * 500, "[" * 100_000)),
    *map(Raw, ("/**/1", "1,", '"\n"', "﻿1", "1 ", " 1", "[1,]", '{"a":1,}', "1e5", "1E+05", "0.10", "1.0")),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a tree with every key or index in it."""
    found: list[tuple[Any, Any]] = []
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        found += [(value, key), *places(member)]
    return found


def changed(chance: random.Random, tree: Any) -> Any:
    """A copy of a tree with one to three changes; sometimes something else altogether."""
    if chance.random() < 0.03:
        return chance.choice(NASTY)
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        found = places(tree)
        if not found:
            return tree
        holder, key = chance.choice(found)
        _change(chance, holder, key, found)
    return tree


def _change(chance: random.Random, holder: Any, key: Any, found: list[tuple[Any, Any]]) -> None:
    kind = chance.randrange(7)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = chance.choice(NASTY)
    elif kind == 2:
        holder[key] = chance.choice(([holder[key]], {"a": holder[key]}, str(holder[key])))
    elif kind == 3 and isinstance(holder, dict):
        holder[chance.choice(("", "more", "__proto__", key.upper(), f"{key} "))] = chance.choice(NASTY)
    elif kind == 4:
        other, where = chance.choice(found)
        holder[key] = copy.deepcopy(other[where])
    elif kind == 5 and isinstance(holder, dict):
        # a key doubled: what stands before the member in the text is another one of the same name
        member = holder[key]
        holder[key] = Raw(f"{spell(chance.choice((member, None, 'x', 1)))},{json.dumps(key)}:{spell(member)}")
    else:
        holder[key] = _spelled(chance, holder[key])


def _spelled(chance: random.Random, value: Any) -> Any:
    """The same meaning in another spelling, or nearly the same."""
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        escaped = "".join(f"\\u{ord(c):04x}" if i == at and ord(c) < 65536 else c for i, c in enumerate(value))
        return chance.choice((Raw('"' + escaped.replace('"', "") + '"'), value.swapcase(), value + " ", value[:-1]))
    if isinstance(value, int) and not isinstance(value, bool):
        return chance.choice((Raw(f"{value}.0"), Raw(f"{value}e0"), str(value), value + 1, -value))
    return Raw(" " + spell(value))


def envelope(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The envelope itself."""
    parts, at = seed.parts, chance.choice((0, 0, 0, 2))
    tree = changed(chance, json.loads(parts[at][1]))
    parts[at] = (parts[at][0], written(tree))
    return Mutant("envelope changed", pack(parts))


def envelope_text(chance: random.Random, seed: Seed, others: Sequence[Seed]) -> Mutant:
    """The same envelope in another spelling, with another type, or with signatures of others."""
    parts = seed.parts
    tree = json.loads(parts[0][1])
    other = json.loads(chance.choice(others).parts[0][1])
    trees: tuple[Any, ...] = (
        Raw(json.dumps(tree)),
        Raw(json.dumps(tree, indent=1)),
        dict(reversed(tree.items())),
        Raw("\ufeff" + spell(tree)),
        Raw(spell(tree) + chance.choice(" \n\0}")),
        {
            **tree,
            "payloadType": chance.choice(("", "application/json", fmt.PAYLOAD_TYPE.upper(), fmt.PAYLOAD_TYPE + " ")),
        },
        {**tree, "signatures": other["signatures"]},
        {**tree, "signatures": tree["signatures"] * 2},
        {**tree, "signatures": tree["signatures"] + other["signatures"]},
        {**tree, "payload": other["payload"]},
        {**tree, "payload": tree["payload"].rstrip("=") + chance.choice(("", "=", "==", "===", "\n", "A"))},
        {**tree, "payload": tree["payload"].replace("A", "-", 1)},
        {
            **tree,
            "signatures": [{**tree["signatures"][0], "sig": _other_signature(chance, tree["signatures"][0]["sig"])}],
        },
        Raw(spell(tree)[: chance.randrange(2000)]),
        Raw(spell(tree) + " " * chance.choice((1, 1 << 20, 2 << 20))),
    )
    parts[0] = (parts[0][0], written(chance.choice(trees)))
    return Mutant("envelope spelled otherwise", pack(parts))


def _other_signature(chance: random.Random, sig: str) -> str:
    raw = bytearray(base64.b64decode(sig))
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    grown = bytes(raw) + chance.choice((b"", b"\0", b"\0" * 100_000))
    return base64.b64encode(grown[: chance.choice((len(grown), 0, 1, 63))]).decode()


def statement_unsigned(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The statement, under the signature of what it was."""
    parts = seed.parts
    tree = json.loads(parts[0][1])
    payload = written(changed(chance, json.loads(base64.b64decode(tree["payload"]))))
    parts[0] = (parts[0][0], written({**tree, "payload": base64.b64encode(payload).decode()}))
    return Mutant("statement changed", pack(parts))


def statement_by_a_stranger(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The statement, signed anew by another key: with the unit's key in it, or its own."""
    data = _signed(chance, seed, seed.stranger, own=chance.random() < 0.5)
    return Mutant("statement signed by a stranger", data)


def statement_by_the_unit(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """The statement, signed anew by a unit in a stranger's hands."""
    return Mutant("statement signed by the unit", _signed(chance, seed, seed.key, own=False), by_unit=True)


def _signed(chance: random.Random, seed: Seed, key: SigningKey, *, own: bool) -> bytes:
    parts = seed.parts
    tree = json.loads(base64.b64decode(json.loads(parts[0][1])["payload"]))
    if own:
        tree["predicate"]["key"] = key.public.to_json()
    parts[0] = (parts[0][0], dsse.sign(written(changed(chance, tree)), fmt.PAYLOAD_TYPE, key))
    return pack(parts)


def contents_by_the_unit(chance: random.Random, seed: Seed, _others: Sequence[Seed]) -> Mutant:
    """Manifest, test result or journal changed, with all that depends on it made right and signed by the unit."""
    parts = dict(seed.parts)
    name = chance.choice((b"manifest.json", b"test-result.dsse.json", b"journal.jsonl"))
    parts[name] = _content(chance, seed, name, parts[name])
    if name == b"journal.jsonl":
        statement = fmt.encode_statement(
            (fmt.Subject(fmt.JOURNAL, _sha256(parts[name])),), fmt.TEST_RESULT_PREDICATE, {}
        )
        parts[b"test-result.dsse.json"] = dsse.sign(statement, fmt.PAYLOAD_TYPE, seed.key)
    if name != b"manifest.json":
        manifest = json.loads(parts[b"manifest.json"])
        for entry in manifest["entries"]:
            content = parts[entry["name"].encode()]
            entry.update(size=len(content), sha256=_sha256(content))
        parts[b"manifest.json"] = written(manifest)
    return Mutant("contents signed by the unit", _sealed(seed, parts), by_unit=True)


def _content(chance: random.Random, seed: Seed, name: bytes, content: bytes) -> bytes:
    if name == b"manifest.json":
        return written(changed(chance, json.loads(content)))
    if name == b"test-result.dsse.json":
        statement = json.loads(base64.b64decode(json.loads(content)["payload"]))
        return dsse.sign(written(changed(chance, statement)), fmt.PAYLOAD_TYPE, seed.key)
    lines = content.splitlines()
    for _ in range(chance.choice((1, 2, 5))):
        at = chance.randrange(len(lines))
        try:
            lines[at] = written(changed(chance, json.loads(lines[at])))
        except (ValueError, RecursionError):  # changed before, and no JSON any more
            lines[at] = lines[at][: len(lines[at]) // 2]
    if chance.random() < 0.3:
        chance.shuffle(lines)
    return b"\n".join(lines) + chance.choice((b"\n", b"", b"\n{", b"\n\xff\n"))


def _sealed(seed: Seed, parts: dict[bytes, bytes]) -> bytes:
    """The parts under a statement that is right about them."""
    statement = json.loads(base64.b64decode(json.loads(parts[b"envelope.dsse.json"])["payload"]))
    for subject in statement["subject"]:
        subject["digest"]["sha256"] = _sha256(parts[subject["name"].encode()])
    parts[b"envelope.dsse.json"] = dsse.sign(written(statement), fmt.PAYLOAD_TYPE, seed.key)
    packed: Parts = list(parts.items())
    return pack(packed)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


MUTATIONS: tuple[Mutation, ...] = (
    envelope,
    envelope,
    envelope,
    envelope_text,
    envelope_text,
    statement_unsigned,
    statement_by_a_stranger,
    statement_by_the_unit,
    statement_by_the_unit,
    contents_by_the_unit,
)
