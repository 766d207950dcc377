"""The receiver: cases, intake, verification, pages."""
