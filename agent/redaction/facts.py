"""This device's own names: of itself, its users, their networks, and what is mounted on it.

Read when a run is sealed, by whoever seals it: an ordinary user sees less of it (the profiles of NetworkManager are
root's), and what was a name when the run was made may have been changed since. What has a shape needs none of this.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent.host import Host
from agent.redaction.known import NOBODY, Known
from agent.redaction.pseudonyms import Kind

_FILE_CAP = 4 << 20
"""Bytes read of one file; ours."""
_FIRST_UID, _LAST_UID = 1000, 60513
"""Users who are people: login.defs(5), UID_MIN to UID_MAX, then those of systemd-homed (systemd.io/UIDS-GIDS)."""
_IW_TIMEOUT_S = 3.0
_COMMON_DOMAINS = frozenset(
    {"local", "lan", "home", "localdomain", "internal", "fritz.box", "home.arpa", "localhost", "."}
)
_SYSTEM_MOUNTS = re.compile(
    r"/(?:|boot(?:/efi)?|home|root|var|usr|opt|srv|tmp|etc|efi|media|mnt|cdrom"
    r"|(?:proc|sys|dev|snap|nix)(?:/.*)?|(?:run|var|usr|etc|tmp)/(?!media/).*)"
)
"""Mount points that every installation has (file-hierarchy(7)); none of them names a person."""
_NAMED_PLACE = re.compile(r"/(?:mnt|media|media/[^/]+|run/media/[^/]+)/([^/]+)")
"""Where desktops (udisks) and people mount what is theirs: the last part is the label, or a name."""
_COMMON_LABELS = frozenset(
    {"boot", "root", "rootfs", "home", "swap", "efi", "esp", "system", "data", "primary", "windows", "recovery",
     "efi system partition", "microsoft reserved partition", "basic data partition", "efi\\x20system\\x20partition",
     "linux filesystem", "linux", "reserved", "os", "cidata", "bios"}
)  # fmt: skip


def gather(host: Host | None = None) -> frozenset[Known]:
    """All names that this device, or one of which ``host`` has the files, can tell of itself; what cannot be read is
    passed over.
    """
    host = host or Host()
    found = (*_hosts(host), *_users(host), *_networks(host), *_places(host), *_addresses(host))
    return frozenset(k for k in found if k.value.strip() and k.value.casefold() not in NOBODY)


def _hosts(host: Host) -> Iterator[Known]:
    names = [] if host.root else [socket.gethostname()]
    names += _text(host, "/etc/hostname").split()
    names += _text(host, "/proc/sys/kernel/hostname").split()
    names += re.findall(r"^PRETTY_HOSTNAME=\"?(.+?)\"?$", _text(host, "/etc/machine-info"), re.MULTILINE)
    for line in _text(host, "/etc/hosts").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] and words[0].startswith("127.0."):
            names += words[1:]
    for name in names:
        yield Known(Kind.HOST, name)
        first, _, domain = name.partition(".")
        yield Known(Kind.HOST, first)
        if "." in domain:
            yield Known(Kind.HOST, domain)
    for line in _text(host, "/etc/resolv.conf").splitlines():
        words = line.split()
        if words[:1] in (["search"], ["domain"]):
            yield from (Known(Kind.HOST, w) for w in words[1:] if w.rstrip(".") not in _COMMON_DOMAINS and "." in w)


def _users(host: Host) -> Iterator[Known]:
    for line in _text(host, "/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) < 6 or not fields[2].isdecimal() or not _FIRST_UID <= int(fields[2]) <= _LAST_UID:
            continue
        yield Known(Kind.USER, fields[0])
        yield from _real_name(fields[4])
        yield Known(Kind.USER, fields[5].rpartition("/")[2])
    for folder in ("/home", "/run/media", "/var/lib/AccountsService/users"):
        yield from (Known(Kind.USER, name) for name in _names(host, folder) if name not in {"lost+found", "root"})


def _real_name(gecos: str) -> Iterator[Known]:
    """passwd(5): the full name before the first comma; its words of three letters and more, too."""
    full = gecos.partition(",")[0].strip()
    if full:
        yield Known(Kind.USER, full)
        yield from (Known(Kind.USER, word) for word in full.split() if len(word) > 2)


def _networks(host: Host) -> Iterator[Known]:
    for path in host.glob("/etc/NetworkManager/system-connections/*"):
        text = _text(host, path)
        if text and not re.search(r"^type=(?:wifi|802-11-wireless)\s*$", text, re.MULTILINE):
            continue  # of a cable; one that cannot be read may be of Wi-Fi
        yield Known(Kind.SSID, path.rpartition("/")[2].removesuffix(".nmconnection"))
        yield from (Known(Kind.SSID, _ssid(v)) for v in re.findall(r"^(?:ssid|id)=(.+)$", text, re.MULTILINE))
    for path in host.glob("/var/lib/iwd/*.*"):
        name = path.rpartition("/")[2]
        if name.endswith((".psk", ".open", ".8021x")):
            yield Known(Kind.SSID, name.rpartition(".")[0])
    for path in host.glob("/etc/wpa_supplicant/*.conf"):
        yield from (Known(Kind.SSID, v) for v in re.findall(r"^\s*ssid=\"(.+)\"", _text(host, path), re.MULTILINE))
    said = host.run("iw", "dev", timeout_s=_IW_TIMEOUT_S).stdout.decode("utf-8", "surrogateescape")
    yield from (Known(Kind.SSID, _unescaped(v)) for v in re.findall(r"^\s*ssid (.+)$", said, re.MULTILINE))


def _ssid(value: str) -> str:
    """NetworkManager writes what is no plain text as bytes: ``65;66;67;``."""
    if re.fullmatch(r"(?:\d{1,3};)+", value):
        return bytes(min(int(n), 255) for n in value.split(";") if n).decode("utf-8", "surrogateescape")
    return value.strip()


def _places(host: Host) -> Iterator[Known]:
    for line in _text(host, "/proc/self/mountinfo").splitlines():
        fields = line.split(" ")  # proc(5): the fifth is the mount point, with octal escapes
        path = _unescaped(fields[4]) if len(fields) > 4 else "/"
        if not _SYSTEM_MOUNTS.fullmatch(path):
            yield Known(Kind.MOUNT, path)
            place = _NAMED_PLACE.fullmatch(path)
            if place:
                yield Known(Kind.LABEL if "/media/" in path else Kind.MOUNT, place[1])
    for folder in ("/dev/disk/by-label", "/dev/disk/by-partlabel"):
        for name in map(_unescaped, _names(host, folder)):
            if name.casefold() not in _COMMON_LABELS:
                yield Known(Kind.LABEL, name)


def _addresses(host: Host) -> Iterator[Known]:
    for path in (*host.glob("/sys/class/net/*/address"), *host.glob("/sys/class/bluetooth/*/address")):
        digits = _text(host, path).strip().replace(":", "").lower()
        if re.fullmatch(r"[0-9a-f]{12}", digits) and digits.strip("0") and digits.strip("f"):
            yield Known(Kind.MAC, digits)


def _unescaped(name: str) -> str:
    """``\\x20`` (udev, iw) and ``\\040`` (mountinfo) as the bytes that they stand for."""
    raw = re.sub(
        rb"\\x([0-9a-fA-F]{2})|\\([0-7]{3})",
        lambda m: bytes([int(m[1], 16) if m[1] else int(m[2], 8) & 0xFF]),
        name.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


def _text(host: Host, path: str) -> str:
    try:
        with Path(host.root + path).open("rb") as file:
            return file.read(_FILE_CAP).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _names(host: Host, folder: str) -> Iterable[str]:
    return [path.rpartition("/")[2] for path in host.glob(f"{folder}/*")]
