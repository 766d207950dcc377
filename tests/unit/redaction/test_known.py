from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from agent.redaction import Kind, Known, Pseudonyms, Redactor, learn
from agent.redaction.known import fixed_words

ROOT = Path(__file__).resolve().parents[3]


def redacted(text: str, *known: Known, kept: tuple[str, ...] = ()) -> str:
    return Redactor(known, kept, Pseudonyms(bytes(32))).text(text)


ANNA = Known(Kind.USER, "anna")
CAFE = Known(Kind.SSID, "Café 小屋")
PHOTOS = Known(Kind.MOUNT, "/mnt/my photos")
STICK = Known(Kind.LABEL, "Annas Stick")
MAC = Known(Kind.MAC, "3c7c3f112233")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("anna ANNA Anna 'anna' (anna) anna: anna.", [ANNA] * 7),
        (r"home-anna.mount home\x2danna \x20anna caf\u00e9anna %20anna \nanna", [ANNA] * 6),
        ("用户anna登录", [ANNA]),
        ('ssid "Café 小屋" CAFÉ 小屋', [CAFE] * 2),
        (r'"Caf\u00e9 \u5c0f\u5c4b" Caf\xc3\xa9\x20\xe5\xb0\x8f\xe5\xb1\x8b', [CAFE] * 2),
        ("Caf%C3%A9%20%E5%B0%8F%E5%B1%8B Cafe\u0301 小屋", [CAFE] * 2),
        (r"/mnt/my photos /mnt/my\040photos mnt-my\x20photos.mount /mnt/my\x20photos", [PHOTOS] * 4),
        (r"LABEL=Annas\x20Stick /media/u/Annas\040Stick dev-disk-by\x2dlabel-Annas\x20Stick.device", [STICK] * 3),
        ("3c7c3f112233 3C7C3F112233 3c7c.3f11.2233 3c 7c 3f 11 22 33", [MAC] * 4),
        ("uuid 550e8400-e29b-41d4-a716-3c7c3f112233 client ff:12:3c:7c:3f:11:22:33", [MAC] * 2),
    ],
)
def test_a_name_goes_in_every_spelling(text: str, names: list[Known]) -> None:
    redactor = Redactor(names, (), Pseudonyms())
    made = redactor.text(text)
    (found,) = redactor.pseudonyms.mapping
    assert redactor.pseudonyms.counts[found] == len(names), made
    for spelling in ("anna", "caf", "小屋", "photos", "stick", "3c7c3f", "3c:7c"):
        assert spelling not in made.lower().replace("caf\\u00e9user", "")


def test_a_latin_1_name_goes_and_other_bytes_stay() -> None:
    text = b"user Jos\xe9 said \xff\xfe\x80 and Jos\xc3\xa9".decode("utf-8", "surrogateescape")
    made = redacted(text, Known(Kind.USER, "José")).encode("utf-8", "surrogateescape")
    assert b"Jos" not in made
    assert b"said \xff\xfe\x80 and" in made


def test_a_name_within_another_word_is_no_name() -> None:
    text = "johanna annabel anna_b banana anna2 Current_anna"
    assert redacted(text, ANNA) == text


PANIC = Known(Kind.USER, "panic")
PC = Known(Kind.HOST, "pc")


@pytest.mark.parametrize(
    "text",
    [
        "Kernel panic - not syncing: Fatal hardware error!",
        "input: PC Speaker as /devices/platform/pcspkr/input/input5",
        "RIP: 0010:panic+0x1/0x2 pc : [<ffff>]",
    ],
)
def test_an_ordinary_word_is_a_name_only_where_the_text_says_so(text: str) -> None:
    assert redacted(text, PANIC, PC) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[    5.000001] pc kernel: usb 1-1: reset", "pc"),
        ("[    5.000001] pc systemd[1]: Hostname set to <pc>.", "pc"),
        ("Nov 26 13:29:29 pc systemd[1]: Started", "pc"),
        ("/home/panic/x", "panic"),
        ("session opened for user panic(uid=1000)", "panic"),
        ("panic@example", "panic"),
        ("USER=panic", "panic"),
    ],
)
def test_where_the_text_says_so_an_ordinary_word_goes(text: str, name: str) -> None:
    assert not re.search(rf"(?<!\w){name}(?!\w)", redacted(text, PANIC, PC))


def test_the_words_of_all_messages_of_the_kernel_are_ordinary() -> None:
    """A user who is named like one must not make a fault unseen."""
    families = tomllib.loads((ROOT / "agent" / "probes" / "kernel_messages.toml").read_text())
    patterns = [p for name, family in families.items() if name != "names" for p in family["patterns"].items()]
    literal = {word.lower() for text, _ in patterns for word in re.findall(r"[A-Za-z]{2,}", text)}
    assert literal <= fixed_words()


def test_serial_numbers_and_names_of_parts_stay() -> None:
    wd = Known(Kind.USER, "wd")
    kept = ("WD-WCC4N1234567", "SanDisk wd 12")
    text = "[sda] SanDisk wd 12, S/N:WD-WCC4N1234567 Serial Number: wd-99 LU WWN Device Id: 5 0014ee 2b1234567"
    assert redacted(text, wd, kept=kept) == text
    assert redacted("/home/wd", wd, kept=kept) != "/home/wd"


LOG = """\
[    0.000000] annas-pc kernel: Linux version 6.1.0
[    2.100000] annas-pc systemd[1]: Hostname set to <old-name>.
Nov 26 13:29:29 third-name sshd[77]: Accepted
[    9.000000] annas-pc systemd-logind[500]: New session 3 of user berta.
[    9.100000] annas-pc wpa_supplicant[501]: wlan0: Trying to associate with SSID 'Haus am See'
[    9.200000] annas-pc NetworkManager[502]: Connected to wireless network "Garten"
[    9.300000] annas-pc udisksd[503]: Mounted /dev/sdb1 at /run/media/carla/URLAUB on behalf of uid 1001
[    9.400000] annas-pc systemd[1]: Unmounting /mnt/tagebuch...
[    9.500000] usb 1-1: new high-speed USB device
"""


def test_a_log_tells_names_itself() -> None:
    found = {(k.kind.value, k.value) for k in learn(LOG, columns=True)}
    assert found == {
        ("host", "annas-pc"),
        ("host", "old-name"),
        ("host", "third-name"),
        ("user", "berta"),
        ("ssid", "Haus am See"),
        ("ssid", "Garten"),
        ("user", "carla"),
        ("label", "URLAUB"),
        ("mount", "tagebuch"),
    }
    assert ("host", "annas-pc") not in {(k.kind.value, k.value) for k in learn(LOG, columns=False)}
