"""The fault catalogue: what every code means, in every language, and the thresholds behind it. All of it is data:
``codes/*.toml``, one file per area, one table per code.
"""

from agent.catalogue.entry import LANGUAGES, Entry, Threshold, entries, entry

__all__ = ["LANGUAGES", "Entry", "Threshold", "entries", "entry"]
