"""Has the guest's display hang on eDP, as an all-in-one's panel does.

QEMU's display is driven by Debian's own ``bochs`` module, which names its connector "Virtual". The type is one constant
in it; nothing else of the driver is changed, and what hangs on that connector (EDID, hot-plug, modes) stays as it was.
Debian's signature of the module no longer holds then and is taken off; the guest's kernel loads unsigned modules.
"""

from __future__ import annotations

from pathlib import Path

VIRTUAL, EDP = 15, 14
"""``DRM_MODE_CONNECTOR_VIRTUAL`` and ``DRM_MODE_CONNECTOR_eDP`` (include/uapi/drm/drm_mode.h)."""
_MOV_ECX = b"\xb9"
"""``mov ecx, imm32``: the fourth argument of ``drm_connector_init`` (System V ABI)."""
_MAGIC = b"~Module signature appended~\n"
_STRUCT = 12


def patch(module: Path) -> None:
    """Change the connector's type in the module; raises ``ValueError`` where the constant is not found exactly once."""
    data = module.read_bytes()
    before = _MOV_ECX + VIRTUAL.to_bytes(4, "little")
    if data.count(before) != 1:
        raise ValueError(f"{module.name}: the connector's type is there {data.count(before)} times, not once")
    module.write_bytes(_unsigned(data.replace(before, _MOV_ECX + EDP.to_bytes(4, "little"))))


def _unsigned(module: bytes) -> bytes:
    """Without the signature at the end: PKCS #7, ``struct module_signature`` whose last four bytes are the length of
    it, and a magic string (include/linux/module_signature.h).
    """
    if not module.endswith(_MAGIC):
        return module
    signature = module[: -len(_MAGIC)]
    return signature[: -_STRUCT - int.from_bytes(signature[-4:], "big")]
