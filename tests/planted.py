"""Secrets, planted into evidence of every kind, in many spellings; and the search for them in a bundle."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

from agent.model import Evidence
from agent.redaction import Kind, Known
from uploader.bundle.verify import VerifiedBundle

FACTS = frozenset(
    {
        Known(Kind.HOST, "zenzi-rechner"),
        Known(Kind.HOST, "hauber.example"),
        Known(Kind.USER, "zenzi"),
        Known(Kind.USER, "Zenzi Häuber"),
        Known(Kind.SSID, "Häubers Hütte 小屋"),
        Known(Kind.LABEL, "Zenzis Stick"),
        Known(Kind.MOUNT, "/srv/zenzis fotos"),
        Known(Kind.MAC, "3c7c3f112233"),
    }
)

MAC, OTHER_MAC = "3c7c3f112233", "9a8b7c6d5e4f"
NAMES = (
    "zenzi",
    "häuber",
    "h\\u00e4uber",
    "h\\xc3\\xa4uber",
    "hauber",
    "小屋",
    "\\u5c0f\\u5c4b",
    "wastl",
    "gartenlaube",
)
PLAIN = (*NAMES, "203.0.114.77", "2a02:8108:1234::77", "2a02:8108:1234:0:", "2a02:8108:1234:0000", "vroni", "kathi")

LINES = """\
[    1.000001] eth0: RTL8168h, 3c:7c:3f:11:22:33, XID 541, IRQ 128
[    1.000002] enx3c7c3f112233: renamed from eth0, 3C-7C-3F-11-22-33 3c7c.3f11.2233 3C7C3F112233
[    1.000003] wlan0: authenticate with 9a:8b:7c:6d:5e:4f (local 3c:7c:3f:11:22:33) dev_9A_8B_7C_6D_5E_4F 9a8b7c6d5e4f
[    1.000004] inet 203.0.114.77/24 inet6 addr:2a02:8108:1234::77/64 [2A02:8108:1234:0000:0000:0000:0000:0077]:443
[    1.000005] mail to vroni.x+y@mail.example.org, <KATHI@EXAMPLE.ORG>
Nov 26 13:29:29 zenzi-rechner systemd[1]: Hostname set to <ZENZI-RECHNER.hauber.example>.
[    1.000006] session opened for user zenzi(uid=1000) by Zenzi Häuber; New session 4 of user wastl.
[    1.000007] /home/zenzi/x /home/wastl/x home-zenzi.mount 'ZENZI'
[    1.000008] wlan0: SSID 'Häubers Hütte 小屋' H\\xc3\\xa4ubers\\x20H\\xc3\\xbctte\\x20\\xe5\\xb0\\x8f\\xe5\\xb1\\x8b
[    1.000009] wlan0: Trying to associate with SSID 'Gartenlaube'
[    1.000010] /srv/zenzis\\040fotos srv-zenzis\\x20fotos.mount /media/zenzi/Zenzis Stick by-label/Zenzis\\x20Stick
[    1.000011] ssid "H\\u00e4ubers H\\u00fctte \\u5c0f\\u5c4b" {"a":"x\\nzenzi"}
"""


def planted(evidence: Evidence) -> Evidence:
    """``evidence`` with :data:`LINES` in it, as its kind can hold them; what interprets it finds all that it found."""
    loaded = evidence.json()
    if evidence.file_name.endswith(".json") and isinstance(loaded, dict):
        if evidence.kind == "tree":
            loaded["/var/lib/planted/log"] = LINES
            loaded["/var/lib/planted/wide"] = {"base64": base64.b64encode(LINES.encode("utf-16-le")).decode()}
            loaded["/var/lib/planted/bytes"] = {"base64": base64.b64encode(LINES.encode() + b"\0").decode()}
            loaded["/run/media/zenzi/Zenzis Stick/x"] = {"link": "/home/zenzi"}
            loaded["/sys/class/net/enx3c7c3f112233/planted"] = "1"
        elif all(isinstance(value, dict) for value in loaded.values()):
            loaded["planted"] = {"lines": LINES}
        else:
            loaded["planted"] = LINES.splitlines()
        escaped = json.dumps(loaded, ensure_ascii=len(evidence.data) % 2 == 0)
        return replace(evidence, data=escaped.replace("/home/", "\\/home\\/").encode("utf-8", "surrogatepass"))
    return replace(evidence, data=evidence.data.rstrip(b"\n") + b"\n" + LINES.encode())


def leaks(bundle: VerifiedBundle) -> list[str]:
    """Where some secret can be read in a bundle, in whatever file or name."""
    found = []
    for name in bundle.names:
        data = bundle.read_attachment(name) if name.startswith("attachments/") else bundle.read(name)
        texts = {name, data.decode("utf-8", "replace"), data.decode("utf-16-le", "replace")}
        for packed in re.findall(rb'"base64": ?"([A-Za-z0-9+/=]+)"', data):
            opened = base64.b64decode(packed)
            texts |= {opened.decode("utf-8", "replace"), opened.decode("utf-16-le", "replace")}
        found += [f"{name}: {secret}" for text in texts for secret in secrets_in(text)]
    return found


def secrets_in(text: str) -> list[str]:
    """The secrets of :data:`LINES` that can be read in a text."""
    low = text.lower()
    escaped = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), low)
    bare = re.sub(r"[^0-9a-z]", "", low.replace("\\x", ""))
    found = [secret for secret in PLAIN if secret in low or secret in escaped]
    return found + [mac for mac in (MAC, OTHER_MAC) if mac in bare]
