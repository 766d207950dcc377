"""Every plan and symptom names areas that exist, in every language."""

from __future__ import annotations

import pytest

from agent.catalogue import LANGUAGES
from agent.plans import plan, plans, symptom, symptoms
from agent.probes import areas


@pytest.mark.parametrize("name", plans())
def test_plan(name: str) -> None:
    known = plan(name)
    assert set(known.title) == set(LANGUAGES)
    assert known.needed
    assert set(known.needed) | set(known.areas) <= set(areas())
    assert not known.areas or set(known.needed) <= set(known.areas)


@pytest.mark.parametrize("name", symptoms())
def test_symptom(name: str) -> None:
    known = symptom(name)
    assert set(known.title) == set(LANGUAGES)
    assert known.needed
    assert set(known.needed) <= set(areas())


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(KeyError):
        plan("../quick")
    with pytest.raises(KeyError):
        symptom("nothing")
