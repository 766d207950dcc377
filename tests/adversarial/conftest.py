"""The receiver that the attackers' and accidents' cases go to: the same as the unit tests', on a real socket."""

from __future__ import annotations

from tests.adversarial.uploads import ready
from tests.unit.server.conftest import bench

__all__ = ["bench", "ready"]
