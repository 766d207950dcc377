"""Pseudonyms: the same value gives the same one within a bundle, and another one in the next.

Made by BLAKE2b (RFC 7693), keyed with a random salt that is thrown away with the object, so that a bundle tells nothing
about a value, not even to somebody who tries all addresses there are.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

_SALT_BYTES = 32
_DOCUMENTATION = ("192.0.2", "198.51.100", "203.0.113")  # RFC 5737
_BENCHMARKING = int(ipaddress.IPv4Address("198.18.0.0"))  # RFC 2544: 131 072 addresses, where those above are used up
_DOCUMENTATION_V6 = int(ipaddress.IPv6Address("2001:db8::"))  # RFC 3849, a /32


class Kind(StrEnum):
    """What is replaced."""

    MAC = "mac"
    IP = "ip"
    EMAIL = "email"
    HOST = "host"
    USER = "user"
    SSID = "ssid"
    LABEL = "label"
    MOUNT = "mount"


@dataclass(frozen=True, slots=True)
class Replaced:
    """One value and what stands for it, both in the spelling that they have in the mapping."""

    kind: Kind
    value: str
    pseudonym: str


class Pseudonyms:
    """The pseudonyms of one bundle. ``counts`` says how often each was given since it was last cleared."""

    def __init__(self, salt: bytes | None = None) -> None:
        self._salt = salt or secrets.token_bytes(_SALT_BYTES)
        self._given: dict[tuple[Kind, str], Replaced] = {}
        self._taken: set[str] = set()
        self.counts: Counter[Replaced] = Counter()

    @property
    def mapping(self) -> list[Replaced]:
        """All that was replaced so far, by kind and value."""
        return sorted(self._given.values(), key=lambda r: (r.kind, r.value))

    def word(self, kind: Kind, value: str) -> str:
        """What stands for a name: ``user-3f9c01d2``. Upper and lower case are one name."""
        return self._give(kind, value.casefold(), value).pseudonym

    def email(self, value: str) -> str:
        """An address in the domain that can never be one (RFC 2606)."""
        return self._give(Kind.EMAIL, value.casefold(), value).pseudonym

    def mac(self, digits: str) -> str:
        """What stands for a MAC address of 12 hexadecimal digits: twelve others, in lower case, of a locally
        administered address of one station (IEEE 802: the two lowest bits of the first byte are 10).
        """
        low = digits.lower()
        spelt = ":".join(low[i : i + 2] for i in range(0, 12, 2))
        return self._give(Kind.MAC, low, spelt).pseudonym.replace(":", "")

    def ip(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
        """An address of the same family, of a range that is for documentation."""
        return self._give(Kind.IP, address.compressed, address.compressed).pseudonym

    def _give(self, kind: Kind, canonical: str, spelt: str) -> Replaced:
        key = (kind, canonical)
        if key not in self._given:
            self._given[key] = Replaced(kind, spelt, self._free(kind, canonical))
        found = self._given[key]
        self.counts[found] += 1
        return found

    def _free(self, kind: Kind, canonical: str) -> str:
        """A pseudonym that stands for nothing else, and is not by chance the value itself."""
        attempt = 0
        while True:
            made = self._made(kind, canonical, attempt)
            itself = made.replace(":", "") if kind is Kind.MAC else made
            if made not in self._taken and itself != canonical:
                self._taken.add(made)
                return made
            attempt += 1

    def _made(self, kind: Kind, canonical: str, attempt: int) -> str:
        message = f"{kind}\0{attempt}\0{canonical}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(message, key=self._salt, digest_size=16).digest()
        number = int.from_bytes(digest, "big")
        if kind is Kind.MAC:
            first = digest[0] & 0xFC | 0x02
            return ":".join(f"{byte:02x}" for byte in (first, *digest[1:6]))
        if kind is Kind.IP and ":" in canonical:
            return ipaddress.IPv6Address(_DOCUMENTATION_V6 + number % (1 << 64)).compressed
        if kind is Kind.IP and attempt < _FEW:
            return f"{_DOCUMENTATION[number % 3]}.{number // 3 % 254 + 1}"
        if kind is Kind.IP:
            return ipaddress.IPv4Address(_BENCHMARKING + number % (1 << 17)).compressed
        if kind is Kind.EMAIL:
            return f"mail-{digest.hex()[:8]}@redacted.invalid"
        return f"{kind}-{digest.hex()[:8]}"


_FEW = 8
"""Tries in the 762 addresses for documentation before the larger range is used; ours."""
