"""Whether a display comes and goes. A loose cable mostly makes contact; one look at it sees nothing.

Reads ``/sys/class/drm/card*-*/status`` again and again, which starts no detection and waits for no driver
(drm_sysfs.c, ``status_show``): what is seen is what the driver was told by the panel's hot-plug line.

Readings: ``panel_watch.changes`` (count, of each connector that was there all the time), ``panel_watch.seconds`` (s).
Source of the format: drm_sysfs.c; the words are ``connected``, ``disconnected`` and ``unknown``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.host import Host, now
from agent.model import ComponentKind, Evidence, Gap, Reading
from agent.watch._look import word
from agent.watch._lookout import Lookout
from agent.watch._watcher import Observed, Watcher

INTERVAL_S = 0.1
"""Seconds between two looks; ours. A contact that opens for less is seen only now and then."""
CHANGES_KEPT = 100
"""Changes that are kept with their time; more are counted. Ours."""

_STATUS = "/sys/class/drm/card*-*/status"
_KIND = "panel-watch-json"
_CONNECTOR = re.compile(r"card\d{1,3}-[A-Za-z]{1,20}(?:-[A-Z])?-\d{1,3}")
_WORDS = frozenset({"connected", "disconnected"})


class PanelWatcher(Watcher):
    """See the module."""

    name = "panel"

    def watch(self, host: Host, lookout: Lookout) -> Iterator[Evidence | Gap]:
        """One piece of evidence: how often each connector's status changed, and when."""
        started = now()
        connectors = {path.split("/")[-2]: host.root + path for path in host.glob(_STATUS)}
        seen = _look(connectors)
        if not seen:
            return
        lookout.begin()
        counts = dict.fromkeys(seen, 0)
        kept: list[list[Any]] = []
        while lookout.goes_on():
            lookout.pause(INTERVAL_S)
            for name, status in _look(connectors).items():
                if name in counts and status != seen[name]:
                    seen[name] = status
                    counts[name] += 1
                    kept.append([round(lookout.passed, 2), name, status])
        seconds = round(lookout.passed, 2)
        data = json.dumps({"seconds": seconds, "changes": counts, "first": kept[:CHANGES_KEPT]}).encode()
        yield Evidence(_KIND, "", data, _STATUS, started, duration_s=seconds)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Observed]:
        """Readings per connector."""
        for piece in evidence:
            loaded = piece.json() if piece.kind == _KIND else None
            if isinstance(loaded, Mapping):
                yield from _readings(loaded, piece)


WATCHER = PanelWatcher()


def _look(connectors: Mapping[str, str]) -> dict[str, str]:
    """Each connector's status, where it is one that says something."""
    found = {name: word(path) for name, path in connectors.items()}
    return {name: status for name, status in found.items() if status in _WORDS}


def _readings(loaded: Mapping[str, Any], piece: Evidence) -> Iterator[Reading]:
    seconds, counts = loaded.get("seconds"), loaded.get("changes")
    if not isinstance(seconds, int | float) or not 0 <= seconds < 1e9 or not isinstance(counts, Mapping):
        return
    for name, count in counts.items():
        if _CONNECTOR.fullmatch(name) and isinstance(count, int) and 0 <= count < 1 << 53:
            part = ComponentKind.PANEL
            yield Reading("panel_watch.changes", count, "count", part, name, piece.source, piece.time)
            yield Reading("panel_watch.seconds", seconds, "s", part, name, piece.source, piece.time)
