"""Every fault code is shown by something real: a capture of the corpora, one in ``tests/captures``, or a virtual AIO.
What nothing real has shown yet is named in ``docs/untested.md``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from agent.catalogue import entries
from tests.bench.restarts import changes
from tests.bench.scenario import scenarios
from tests.corpus.evaluation import Documents

ROOT = Path(__file__).resolve().parents[2]


def test_each_code_has_a_proof_or_is_named_as_untested(documents: Documents) -> None:
    by_corpus = {finding["code"] for document in documents.values() for finding in document.get("findings", ())}
    by_bench = {expected.code for scenario in scenarios() for expected in scenario.expected}
    by_bench |= {change.code for change in changes()}
    files = (ROOT / "tests" / "captures").glob("*.expected.json")
    by_capture = {f["code"] for file in files for f in json.loads(file.read_text("utf-8"))["findings"]}
    assert set(entries()) - by_corpus - by_bench - by_capture == named_as_untested()


def named_as_untested() -> set[str]:
    page = (ROOT / "docs" / "untested.md").read_text("utf-8")
    section = re.search(r"^## Fault codes\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section
    return set(re.findall(r"`([A-Z]+-\d{4})`", section[1]))
