"""The bench: virtual all-in-ones on QEMU (software emulation), with faults put into their hardware from outside.

``python -m tests.bench`` (``./dev bench``) runs the scenarios; ``docs/bench.md`` says how to use and to extend it.
"""
