"""Judges evidence that was gathered before, here or on another unit, by today's probes, hardware tests and rules."""
