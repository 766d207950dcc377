"""The healthy machine: nothing may be said of it, in any language."""

from __future__ import annotations

from tests.bench.aio import VirtualAio
from tests.bench.scenario import Check, scenario


@scenario("healthy", customer="I only wanted to see whether all is well.", status=0)
def healthy(aio: VirtualAio, check: Check) -> None:
    """None; asked in English."""
    checked = check()
    assert checked.unit["serial"] == aio.identity.serial
    assert checked.unit["model"] == aio.identity.model


@scenario("healthy", customer="Solo quería saber si todo va bien.", language="es", status=0)
def healthy_in_spanish(_aio: VirtualAio, check: Check) -> None:
    """None; asked in Spanish."""
    check()


@scenario("healthy", customer="我只是想確認一切正常。", language="zh_Hant", status=0)
def healthy_in_chinese(_aio: VirtualAio, check: Check) -> None:
    """None; asked in Traditional Chinese."""
    check()
