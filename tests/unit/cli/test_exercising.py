"""``test``, ``replay``, ``verify`` and ``resume``: what they refuse, in one line; and the certificate as a page."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path
from typing import Any

import pytest

from agent.cli.certificate import PAYLOAD_TYPE, page, signed
from agent.cli.main import main
from agent.model import Component, ComponentKind
from agent.replay.verification import Standing
from agent.texts import LANGUAGES
from tests.unit.replay.test_recipe import RECIPE
from uploader import dsse
from uploader.keys import DeviceKey

CERTIFICATE: dict[str, Any] = {
    "kind": "aiodiag-certificate",
    "schema": 1,
    "made": "2026-01-02T03:04:05.678Z",
    "agent": "0.1.0",
    "run_id": "20260102T000000Z-abcd",
    "unit": {"serial": "AIO24-0001", "manufacturer": "Hibertek", "model": "<b>AIO-24</b>"},
    "rma": None,
    "recipe": {"run_id": RECIPE.run_id, "sha256": "0" * 64, "made": RECIPE.made},
    "fault": RECIPE.fault.to_json(),
    "reproduced": {"failures": 3, "rounds": 3},
    "work": RECIPE.work.to_json(),
    "least": RECIPE.least.to_json(),
    "verdict": "verified",
    "confidence_asked": 0.95,
    "confidence": 0.95,
    "rounds": 3,
    "clean": 3,
    "needed": 3,
    "events": 0,
    "sound_units_show_it": False,
    "sequential": None,
    "hours": 0.05,
    "markers": [
        {
            "reading": "thermal_test.rise_per_watt",
            "of": "thermal_zone0",
            "kind": "acpitz",
            "unit": "K/W",
            "exercise": "soak",
            "before": {"value": 1.3, "error": 0.01},
            "after": {"value": 1.02, "error": 0.012},
            "sound": {"mean": 1.0, "deviation": 0.04, "units": 5, "low": 0.798, "high": 1.202},
            "restored": "restored",
            "was_outside": True,
            "is_inside": True,
            "chance_unchanged": 0.001,
        },
        {
            "reading": "storage_read_test.latency_p99",
            "of": "<i>sda</i>",
            "kind": "",
            "unit": "s",
            "exercise": "drives",
            "before": {"value": 0.5, "error": None},
            "after": None,
            "sound": None,
            "restored": "says nothing",
            "was_outside": None,
            "is_inside": None,
            "chance_unchanged": None,
        },
    ],
    "restored": "restored",
    "verified_by": ["count", "markers"],
    "faults": [],
    "parts": {
        "exchanged": [
            {
                "old": Component(ComponentKind.MEMORY_MODULE, "DIMM A1", serial="123").to_json(),
                "new": Component(ComponentKind.MEMORY_MODULE, "DIMM A1", "Acme", "M4", "456").to_json(),
            }
        ],
        "removed": [],
        "added": [],
    },
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("AIODIAG_STATE", str(folder))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return folder


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("aiodiag: ")
    return line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test", "teapot"], "unknown test teapot; there are: "),
        (["test", "memory", "--duration", "nan"], "--duration is a number from 1 to 604800, not nan"),
        (["test", "memory", "--seed", "-1"], "--seed is a number from 0 to 2147483647, not -1"),
        (["test", "memory", "--rma", "HB26-483920-6"], "is not an RMA number"),
        (["replay"], "what is wrong with it? Give --symptom"),
        (["replay", "--bundle", "/dev/null"], "aiodiag: "),
        (["replay", "--recipe", "/dev/null"], "/dev/null is no recipe"),
        (["replay", "--symptom", "teapot"], "unknown symptom teapot; there are: "),
        (["replay", "--symptom", "restarts", "--hours", "x"], "--hours is a number from 0.001 to 720, not x"),
        (["replay", "--symptom", "restarts", "--round", "0"], "--round is a number"),
        (["replay", "--symptom", "restarts", "--confidence", "95"], "--confidence is a number from 0.5 to 0.9999"),
        (["restart", "--times", "0"], "--times is a number from 1 to 100, not 0"),
        (["restart", "--symptom", "teapot"], "unknown symptom teapot; there are: "),
        (["verify"], "--recipe"),
        (["verify", "--recipe", "/nonexistent"], "No such file or directory /nonexistent"),
        (["verify", "--recipe", "/dev/null"], "/dev/null is no recipe"),
    ],
)
def test_what_is_refused_says_what_to_do(
    words: list[str], said: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *words)
    assert not (state / "runs").exists(), "nothing was begun"


@pytest.mark.parametrize("change", [{"schema": 2}, {"observed": None}, {"work": {}}, {"fault": []}, {"parts": 1}])
def test_a_recipe_that_is_none_is_refused(
    change: dict[str, Any], state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({**RECIPE.to_json(), **change}))
    assert f"{file} is no recipe: " in refused(capsys, "verify", "--recipe", str(file))


def test_a_recipe_with_one_key_twice_is_refused(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.json"
    file.write_text('{"kind": "x", ' + json.dumps(RECIPE.to_json())[1:])
    assert "is no recipe" in refused(capsys, "verify", "--recipe", str(file))


def test_where_nothing_was_under_way_there_is_nothing_to_resume(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir(mode=0o700)
    (state / "resume").write_text("20260101T000000Z-abcd")
    assert main(["resume"]) == 0
    assert capsys.readouterr() == ("", "nothing was under way\n")
    assert not (state / "resume").exists(), "the service must not start for it again"


class Page(html.parser.HTMLParser):
    """The words of a page, and the names of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href"}, "nothing from elsewhere"

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_it_all_and_takes_no_markup_from_the_unit(language: str) -> None:
    read = Page(page(CERTIFICATE, language))
    words = " ".join(read.words)
    for said in ("AIO24-0001", "<b>AIO-24</b>", "MEM-3908", "95.0 %", "Acme M4 456", "60 °C", "0" * 64):
        assert said in words
    for said in ("thermal_zone0", "1.3 ± 0.01 K/W", "1.02 ± 0.012 K/W", "0.798", "1.2", "0.1 %", "<i>sda</i>", "0.5 s"):
        assert said in words
    assert not read.elements & {"b", "i"}


def test_it_says_how_a_fault_was_counted_that_sound_units_have_too() -> None:
    strict = page({**CERTIFICATE, "sound_units_show_it": True}, "en")
    assert "it must not come at all" in strict
    by_test = {"sequential": {"failing": 0.3, "sound": 0.02}, "events": 1, "sound_units_show_it": True}
    assert "2 % of the rounds, this one had it in 30 % at least" in page({**CERTIFICATE, **by_test}, "en")


def test_a_certificate_of_restarts_says_so() -> None:
    words = Page(page({**CERTIFICATE, "work": {**CERTIFICATE["work"], "name": "restarts", "tests": []}}, "en")).words
    assert any(word.startswith("restarts; ") for word in words)


def test_where_the_unit_must_not_be_restarted_nothing_is_begun(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["restart", "--times", "3"]) == 3
    assert "the unit is not restarted: " in capsys.readouterr().err
    assert not (state / "runs").exists()


def test_every_verdict_has_a_sentence_of_its_own() -> None:
    verdicts = [standing.name.lower() for standing in Standing if standing is not Standing.GOES_ON]
    pages = {page({**CERTIFICATE, "verdict": verdict}, "en") for verdict in verdicts}
    assert len(pages) == len(verdicts)
    assert sum("is gone" in text for text in pages) == 1


def test_the_certificate_is_signed_by_the_device(state: Path) -> None:
    key = DeviceKey.load_or_create(state / "key")
    envelope = signed(CERTIFICATE, key)
    payload = dsse.verify(envelope, PAYLOAD_TYPE, key.public, max_size=1 << 20)
    assert json.loads(payload) == CERTIFICATE
    with pytest.raises(dsse.EnvelopeRejected):
        dsse.verify(
            envelope.replace(b"verified", b"Verified", 1)[:-1] + b" }", PAYLOAD_TYPE, key.public, max_size=1 << 20
        )
