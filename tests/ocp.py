"""The OCP Test & Validation output schema as a judge of journals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource


def validate_lines(path: Path, shared: Path) -> int:
    """Hold every line of the journal ``path`` to the schema under ``shared/ocp-schema``; returns how many there were.

    Skips the test where the schema is absent; fails it with the line and the place in it otherwise.
    """
    validator = _validator(shared)
    count = 0
    with open(path, "rb") as file:
        for count, line in enumerate(file, 1):
            for error in validator.iter_errors(json.loads(line)):
                pytest.fail(f"line {count} of {path.name}, {error.json_path}: {error.message[:500]}\n{line[:500]!r}")
    return count


def _validator(shared: Path) -> Draft202012Validator:
    folder = shared / "ocp-schema"
    if not folder.is_dir():
        pytest.skip(f"no OCP schema at {folder}")
    schemas = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    registry = Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in schemas])
    root = next(schema for schema in schemas if schema["title"] == "OutputArtifact")
    return Draft202012Validator(root, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)
