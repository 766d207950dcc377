"""The hardware of a virtual all-in-one: one file per kind, each with its faults as context managers."""
