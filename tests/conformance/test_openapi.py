"""The OpenAPI document has every call of programs, with what it answers; pages are for people, and are not in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from server_stub.app import create_app
from server_stub.problems import MEDIA_TYPE, Problem
from server_stub.settings import API, Settings
from tests.conformance.test_guards import addresses


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return create_app(Settings(tmp_path_factory.mktemp("data")))


def test_every_call_is_in_it_and_no_page(app: Any) -> None:
    described = {(m.upper(), path) for path, methods in app.openapi()["paths"].items() for m in methods}
    assert described == {(method, path) for method, path, _ in addresses(app) if path.startswith(API)}


def test_every_call_says_what_it_answers(app: Any) -> None:
    names = []
    for path, methods in app.openapi()["paths"].items():
        for method, call in methods.items():
            names.append(call["operationId"])
            parameters = {parameter["name"] for parameter in call.get("parameters", ())}
            assert {part[1:-1] for part in path.split("/") if part.startswith("{")} <= parameters, path
            well = [answer for status, answer in call["responses"].items() if status.startswith("2")]
            assert len(well) == 1, (method, path)
            json_body = well[0].get("content", {}).get("application/json")
            assert json_body is None or json_body["schema"]["required"], (method, path)
            for status, answer in call["responses"].items():
                if not status.startswith("2"):
                    assert list(answer["content"]) == [MEDIA_TYPE], (method, path, status)
            assert (call.get("security") == [{"token": []}]) == path.startswith(f"{API}/staff/")
    assert len(set(names)) == len(names)


def test_a_problem_is_as_the_document_says(app: Any) -> None:
    schema = app.openapi()["paths"][f"{API}/receiver"]["get"]["responses"]["default"]["content"][MEDIA_TYPE]["schema"]
    validator = Draft202012Validator(schema)
    body = Problem("conflict", "No.").response().body
    assert not list(validator.iter_errors(json.loads(body)))
    assert list(validator.iter_errors({"title": "x"}))
