"""Whose request it is, as far as that can be known: the network address that it came from."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

_NETWORK_BITS = 64
"""Of an IPv6 address: whoever has one has the 2^64 of its network (RFC 6177, section 2; RFC 4291, section 2.5.4)."""


def address_of(scope: Scope) -> str:
    """The IPv4 address or the IPv6 network of 64 bits.

    ``scope["client"]`` is the peer of the connection. uvicorn puts there what a header says (X-Forwarded-For, the last
    address that is no proxy of ours) only when the peer is a proxy that the operator named (``--trusted-proxy``).
    Whatever is no address counts as one and the same.
    """
    client = scope.get("client")
    try:
        address = ip_address(client[0].partition("%")[0] if client else "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(IPv6Network((address, _NETWORK_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)
