"""The scenarios: one file per area, one short function each."""
