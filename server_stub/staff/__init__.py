"""Who of the staff, and which program, may see and do what."""
