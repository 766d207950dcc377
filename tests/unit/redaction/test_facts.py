from __future__ import annotations

from pathlib import Path

from agent.host import Host
from agent.redaction import gather

FILES = {
    "etc/hostname": "annas-pc\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 annas-pc.mueller.example annas-pc\n192.168.1.9 printer\n",
    "etc/resolv.conf": "nameserver 192.168.1.1\nsearch mueller.example fritz.box\n",
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/bash\n"
        "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
        "anna:x:1000:1000:Anna Müller,,,:/home/anna:/bin/bash\n"
        "bob:x:1001:1001::/srv/robert:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "home/carla/.profile": "",
    "etc/NetworkManager/system-connections/Haus am See.nmconnection": (
        "[connection]\nid=Haus am See\ntype=wifi\n\n[wifi]\nssid=71;97;114;116;101;110;\n"
    ),
    "etc/NetworkManager/system-connections/Kabel.nmconnection": "[connection]\nid=Kabel\ntype=ethernet\n",
    "var/lib/iwd/Laube.psk": "",
    "etc/wpa_supplicant/wpa.conf": 'network={\n  ssid="Keller"\n  psk="geheim"\n}\n',
    "proc/self/mountinfo": (
        "22 1 8:2 / / rw - ext4 /dev/sda2 rw\n"
        "23 22 0:21 / /proc rw - proc proc rw\n"
        "24 22 8:17 / /media/anna/Annas\\040Stick rw - vfat /dev/sdb1 rw\n"
        "25 22 8:18 / /mnt/fotos rw - ext4 /dev/sdc1 rw\n"
        "26 22 8:19 / /boot/efi rw - vfat /dev/sda1 rw\n"
    ),
    "dev/disk/by-label/Annas\\x20Stick": "",
    "dev/disk/by-label/EFI": "",
    "sys/class/net/eth0/address": "3c:7c:3f:11:22:33\n",
    "sys/class/net/lo/address": "00:00:00:00:00:00\n",
}


def test_what_a_device_knows_of_itself(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = {(k.kind.value, k.value) for k in gather(Host(str(tmp_path)))}
    assert found == {
        ("host", "annas-pc"),
        ("host", "annas-pc.mueller.example"),
        ("host", "mueller.example"),
        ("user", "anna"),
        ("user", "Anna Müller"),
        ("user", "Anna"),
        ("user", "Müller"),
        ("user", "bob"),
        ("user", "robert"),
        ("user", "carla"),
        ("ssid", "Haus am See"),
        ("ssid", "Garten"),
        ("ssid", "Laube"),
        ("ssid", "Keller"),
        ("mount", "/media/anna/Annas Stick"),
        ("label", "Annas Stick"),
        ("mount", "/mnt/fotos"),
        ("mount", "fotos"),
        ("mac", "3c7c3f112233"),
    }
    assert "geheim" not in str(found)


def test_a_device_that_tells_nothing(tmp_path: Path) -> None:
    assert gather(Host(str(tmp_path))) == frozenset()
