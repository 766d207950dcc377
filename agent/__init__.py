"""The on-device diagnostics agent of Hibertek all-in-one PCs."""

__version__ = "0.1.0"
