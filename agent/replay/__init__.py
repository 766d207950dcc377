"""Symptom -> reproduction -> recipe -> verification: what decides how long, and what may be said then."""

from agent.replay.clean import NOTHING_KNOWN, Prior, chance_if_unrepaired, clean_needed
from agent.replay.observed import Observed, Per
from agent.replay.rate import Rate, rate
from agent.replay.search import Block, Cause, Exercise, Search
from agent.replay.sequential import SequentialTest, Verdict
from agent.replay.stopping import Advice, advise

__all__ = [
    "NOTHING_KNOWN",
    "Advice",
    "Block",
    "Cause",
    "Exercise",
    "Observed",
    "Per",
    "Prior",
    "Rate",
    "Search",
    "SequentialTest",
    "Verdict",
    "advise",
    "chance_if_unrepaired",
    "clean_needed",
    "rate",
]
