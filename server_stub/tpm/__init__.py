"""The proof that a unit's key is in a TPM of a known maker (``docs/device-keys.md``): the TCG's credential protocol
(TPM 2.0 Library, part 1, chapter 24).
"""
