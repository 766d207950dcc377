"""The durable record of a run, and the only writer of a run directory."""
