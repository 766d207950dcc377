"""Bundles that were sealed by real keys, changed by chance in every way that we could think of, and judged by the real
verification and the receiver's real intake. ``python -m tests.fuzz --help`` says how.
"""
