"""How right the agent is about real captures, measured against what their sources say: ``python -m tests.corpus``."""
