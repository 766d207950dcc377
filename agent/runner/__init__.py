"""Walks a plan: a process per step, timeouts, the journal."""
