"""What should be in a unit of a model, as it was learnt from a known good one.

The files ``*.profile.json`` in this folder are the profiles that the agent brings along; those that were learnt on this
machine (``aiodiag profile learn``) lie in ``profiles`` of its state directory and go first. To ship one, copy it here:
:mod:`agent.profiles.profile` says what is in it. No serial number ever is.
"""

from agent.profiles.interpret import interpret
from agent.profiles.learn import counted, learn, spread
from agent.profiles.profile import Profile, decode, encode
from agent.profiles.shelf import Shelf, gather

__all__ = ["Profile", "Shelf", "counted", "decode", "encode", "gather", "interpret", "learn", "spread"]
