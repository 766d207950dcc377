"""Seals runs into bundles, keeps the outbox and talks to the receiver."""
