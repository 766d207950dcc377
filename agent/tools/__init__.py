"""The one place that starts external programs."""

from agent.tools.programs import PROGRAMS, Program
from agent.tools.run import Result, Status, run

__all__ = ["PROGRAMS", "Program", "Result", "Status", "run"]
