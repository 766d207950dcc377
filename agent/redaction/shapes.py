"""What is known by its shape: MAC addresses, IP addresses, e-mail addresses; and what only looks like one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.redaction.pseudonyms import Kind, Pseudonyms


class Span(NamedTuple):
    """A place in a text, and how it is to be replaced: ``value`` is what the pseudonym is made for."""

    start: int
    end: int
    kind: Kind
    value: str


_HEX = "[0-9A-Fa-f]"
_SEPARATOR = r"[:_-]|%3[Aa]|\\x3a|\\x2d"  # as they are, in an address (RFC 3986), in the name of a unit of systemd
_MAC = re.compile(rf"(?<![0-9A-Za-z]){_HEX}{{2}}({_SEPARATOR}){_HEX}{{2}}(?:\1{_HEX}{{2}}){{4,}}(?![0-9A-Za-z])")
_INTERFACE = re.compile(rf"(?<![0-9A-Za-z])(?:en|wl|ww)x({_HEX}{{12}})(?![0-9A-Za-z])")
"""systemd.net-naming-scheme(7): a network interface that is named after its address."""
_CLIENT_ID = "01"
"""DHCP's type of hardware for Ethernet, before the address (RFC 2132, 9.14)."""
_NO_STATION = re.compile(r"0{12}|f{12}|0180c200000.")
"""MAC addresses that belong to nobody: none, all, and those of bridges (IEEE 802.1D)."""


def macs(text: str) -> Iterator[Span]:
    """MAC addresses with separators, and those in names of interfaces. Longer rows of bytes are none: an EUI-64 or WWN
    of eight is the name of a drive.
    """
    for match in _MAC.finditer(text):
        separator = match[1]
        groups = match[0].split(separator)
        width = 2 + len(separator)
        start = match.start()
        if len(groups) == 7 and groups[0] == _CLIENT_ID:
            groups, start = groups[1:], start + width
        digits = "".join(groups).lower()
        if len(groups) == 6 and not _NO_STATION.fullmatch(digits):
            yield Span(start, match.end(), Kind.MAC, digits)
    for match in _INTERFACE.finditer(text):
        yield Span(match.start(1), match.end(1), Kind.MAC, match[1].lower())


_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w]|\.\d)")
_VERSION_BEFORE = re.compile(
    r"\b(?:versions?|ver|v|rev(?:ision)?|release|firmware|fw|bios|driver|build|microcode|ucode|api)"
    r"(?:[\s:=#\"'(]|\bis\b)*\Z",
    re.IGNORECASE,
)
_CONTEXT = 32  # characters before a match in which a word for a version is looked for
_IPV4_KEPT = [
    ipaddress.IPv4Network(net)
    for net in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")  # RFC 6890, RFC 5771
]
"""This network, this host, groups, and what nobody has (and masks, which begin with 255)."""


def ipv4(text: str, *, versions: bool) -> Iterator[Span]:
    """IPv4 addresses. ``versions``: the text is one where four numbers are the version of something."""
    if versions:
        return
    for match in _IPV4.finditer(text):
        address = ipaddress.IPv4Address(match[0])
        before = text[max(0, match.start() - _CONTEXT) : match.start()]
        if not any(address in net for net in _IPV4_KEPT) and not _VERSION_BEFORE.search(before):
            yield Span(match.start(), match.end(), Kind.IP, address.compressed)


_IPV6 = re.compile(rf"(?<![0-9A-Fa-f:]){_HEX}*+:{_HEX}*+:(?:{_HEX}|:)*+(?:(?:\.\d{{1,3}}){{3}}(?![\w]|\.\d))?")
_GROUP_MOST = 4  # digits
_PAIRS = re.compile(rf"{_HEX}{{2}}(?::{_HEX}{{2}}){{7}}")
_IPV6_KEPT = {ipaddress.IPv6Address(a) for a in ("::", "::1", "fe80::", "fc00::", "fd00::", "2001:db8::", "64:ff9b::")}
_SOLICITED = ipaddress.IPv6Network("ff02::1:ff00:0/104")
"""Groups that carry the end of somebody's address (RFC 4291, 2.7.1)."""


def ipv6(text: str) -> Iterator[Span]:
    """IPv6 addresses in all their spellings. Eight pairs of digits are an EUI-64; two words with ``::`` between them
    and no digit in them are a name in a program.
    """
    for match in _IPV6.finditer(text) if text.count(":") > 1 else ():
        start, end = _bounds(text, match)
        found = text[start:end]
        address = _ipv6(found)
        if address is None and found.find(":") > _GROUP_MOST:  # a word before it, as in ``deadbeef:fe80::1``
            start += found.index(":") + 1
            found = text[start:end]
            address = _ipv6(found)
        if address is None and "." in found:
            end = start + found.index(".")
            found = text[start:end]
            address = _ipv6(found)
        if address is None or _PAIRS.fullmatch(found):
            continue
        if address in _IPV6_KEPT or (address.is_multicast and address not in _SOLICITED):
            continue
        if found.count(":") > 2 or any(c.isdigit() for c in found):
            yield Span(start, end, Kind.IP, address.compressed)


def _bounds(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Without what belongs to a word before or after it, as in ``iface:fe80::1``, and without colons around it."""
    start, end = match.span()
    if start and (text[start - 1].isalnum() or text[start - 1] in "_."):
        start = text.index(":", start, end) if ":" in match[0] else end
        start = end if text.startswith("::", start) else start
    if end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end = text.rfind(":", start, end)
        end = start if end <= start or text[end - 1] == ":" else end
    if text.startswith(":", start) and not text.startswith("::", start):
        start += 1
    if start < end and text[end - 1] == ":" and not text.endswith("::", start, end):
        end -= 1
    return start, max(start, end)


def _ipv6(text: str) -> ipaddress.IPv6Address | None:
    try:
        return ipaddress.IPv6Address(text) if text.count(":") > 1 else None
    except ValueError:
        return None


_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]++(?:\.[\w-]++)++")
_UNITS = {"service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"}
"""systemd.unit(5): ``user@1000.service`` is no address."""


def emails(text: str) -> Iterator[Span]:
    """E-mail addresses."""
    for match in _EMAIL.finditer(text) if "@" in text else ():
        last = match[0].rpartition(".")[2]
        if last not in _UNITS and not last.isdigit():
            yield Span(match.start(), match.end(), Kind.EMAIL, match[0])


def pseudonym(span: Span, found: str, pseudonyms: Pseudonyms) -> str:
    """What stands for ``found``, which is spelt as it is at ``span``: a MAC address keeps separators and case."""
    if span.kind is Kind.MAC:
        return _spelt_alike(found, pseudonyms.mac(span.value))
    if span.kind is Kind.IP:
        return pseudonyms.ip(ipaddress.ip_address(span.value))
    if span.kind is Kind.EMAIL:
        return pseudonyms.email(span.value)
    made = pseudonyms.word(span.kind, span.value)
    return f"/{made}" if span.value.startswith("/") and found.startswith("/") else made


def _spelt_alike(found: str, digits: str) -> str:
    """``digits`` with what stands between those of ``found``."""
    digits = digits.upper() if found.upper() == found and found.lower() != found else digits
    pair = re.match(rf"{_HEX}{{2}}({_SEPARATOR})", found)
    if pair:
        return pair[1].join(digits[i : i + 2] for i in range(0, 12, 2))
    if "." in found:
        return ".".join(digits[i : i + 4] for i in range(0, 12, 4))
    return digits
