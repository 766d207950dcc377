"""What needs root, for a person who is not: a helper with fixed verbs, started through polkit, and whoever asks it."""
