"""The command line: a face, no logic of its own."""
