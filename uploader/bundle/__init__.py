"""The bundle: its format, how it is sealed and how it is verified."""
