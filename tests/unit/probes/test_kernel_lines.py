"""The messages of a log are the same, whatever form it has."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.probes._kernel_lines import LINES_MOST, TEXT_MOST, Message, is_stamped, newest, parse
from agent.probes._kernel_messages import families, survey

AT = "2026-02-10T16:15:01.001203+01:00"
DAY = "Tue Jun  7 09:54:23 2022"
COMMA = "2022-06-07T09:54:23,123456+02:00"
BSD = "Sep 23 19:05:33"
SOCKLOG = "2025-01-11T14:18:39.91660"
TALOS = "2024-06-29T10:52:39.030745602Z"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[   12.345678] ata1: hello", Message(12.345678, "ata1: hello")),
        ("[   12.345678][    T1] ata1: hello", Message(12.345678, "ata1: hello")),
        ("[   12.345678 <    0.000012>] ata1: hello", Message(12.345678, "ata1: hello")),
        ("[<    0.000012>] ata1: hello", Message(None, "ata1: hello")),
        ("[  +0.000012] ata1: hello", Message(None, "ata1: hello")),
        ("[May 6 07:08] ata1: hello", Message(None, "ata1: hello")),
        ("<4>[   12.3] ata1: hello", Message(12.3, "ata1: hello")),
        ("kern  :err   : [   12.3] ata1: hello", Message(12.3, "ata1: hello")),
        (f"kern  :notice: [{DAY}] ata1: hello", Message(None, "ata1: hello", DAY)),
        (f"[{DAY}] ata1: hello", Message(None, "ata1: hello", DAY)),
        (f"{COMMA} usb 1-3: hello", Message(None, "usb 1-3: hello", COMMA)),
        ("6,339,5140900,-;ata1: hello", Message(5.1409, "ata1: hello")),
        ("[   12.345678] pc kernel: ata1: hello", Message(12.345678, "ata1: hello")),
        (f"{BSD} pc kernel: [ 8050.166243] ata1: hello", Message(8050.166243, "ata1: hello", BSD)),
        ("May  8 12:55:14 pc kernel: ata1: hello", Message(None, "ata1: hello", "May  8 12:55:14")),
        (f"{AT} pc kernel: [T42] ata1: hello", Message(None, "ata1: hello", AT)),
        ("2026-02-10T16:15:01+0100 pc kernel: ata1: hello", Message(None, "ata1: hello", "2026-02-10T16:15:01+0100")),
        ("Tue 2026-02-10 16:15:01 CET pc kernel: ata1: hello", Message(None, "ata1: hello", "2026-02-10 16:15:01")),
        ("1770736501.001203 pc kernel: ata1: hello", Message(None, "ata1: hello", "2026-02-10T15:15:01.001Z")),
        (f"<6>1 {AT} pc kernel - - - ata1: hello", Message(None, "ata1: hello", AT)),
        (f'<6>1 {AT} pc kernel - - [x@1 a="b"] ata1: hello', Message(None, "ata1: hello", AT)),
        ('{"MESSAGE": "ata1: hello", "_SOURCE_MONOTONIC_TIMESTAMP": "1500000"}', Message(1.5, "ata1: hello")),
        (
            '{"MESSAGE": "ata1: hello", "_TRANSPORT": "kernel", "__REALTIME_TIMESTAMP": "1770736501001203"}',
            Message(None, "ata1: hello", "2026-02-10T15:15:01.001Z"),
        ),
        ('{"MESSAGE": [97, 116, 97, 255]}', Message(None, "ata\ufffd")),
        ('         "msg": "ata1: hello \\"you\\""', Message(None, 'ata1: hello "you"')),
        ('\t"MESSAGE" : "ata1: hello",', Message(None, "ata1: hello")),
        ("> > [   12.3] ata1: hello", Message(12.3, "ata1: hello")),
        ("| Sep 23 19:05:33 pc kernel: ata1: hello", Message(None, "ata1: hello", "Sep 23 19:05:33")),
        (
            "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 kernel: ata1: hello",
            Message(None, "ata1: hello", "Nov 9 12:01:01"),
        ),
        (
            "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO hello",
            Message(None, "RAS KERNEL INFO hello", "2005-06-03-15.42.50.675872"),
        ),
        ("ata1: hello", Message(None, "ata1: hello", bare=True)),
        ("[ma mrt 21 17:09:43 2022] ata1: hello", Message(None, "ata1: hello", "ma mrt 21 17:09:43 2022")),
        ("[二  3月 21 17:09:43 2022] ata1: hello", Message(None, "ata1: hello", "二  3月 21 17:09:43 2022")),
        ("févr. 13 12:47:34 pc kernel: ata1: hello", Message(None, "ata1: hello", "févr. 13 12:47:34")),
        ("2月 13 12:47:34 pc kernel: ata1: hello", Message(None, "ata1: hello", "2月 13 12:47:34")),
        ("Jan  4 10:34:35 [kernel] [ 12.5] ata1: hello", Message(12.5, "ata1: hello", "Jan  4 10:34:35")),
        (f"{AT} [T449218] ata1: hello", Message(None, "ata1: hello", AT)),
        ("08:01:58 pc kernel: [10858.5] ata1: hello", Message(10858.5, "ata1: hello", "08:01:58")),
        ("kernel: ata1: hello", Message(None, "ata1: hello")),
        ("[\xa0\xa0 12.3] ata1:\xa0hello", Message(12.3, "ata1: hello")),
        ("[ 12.3] res 51/40 Emask 0×9", Message(12.3, "res 51/40 Emask 0x9")),
        ("`[   12.3] ata1: hello`", Message(12.3, "ata1: hello")),
        (f"{DAY} kern.err kernel: [   12.3] ata1: hello", Message(12.3, "ata1: hello", DAY.removeprefix("Tue "))),
        ("2025-01-11T14:18:39.91660 kern.err: [ 12.3] ata1: hello", Message(12.3, "ata1: hello", SOCKLOG)),
        (f"{AT} kernel: ata1: hello", Message(None, "ata1: hello", AT)),
        (f"kern:     err: [{TALOS}]: ata1: hello", Message(None, "ata1: hello", TALOS)),
        ("{3}[Hardware Error]: hello", Message(None, "{3}[Hardware Error]: hello", bare=True)),
    ],
)
def test_every_format_of_a_line(line: str, expected: Message) -> None:
    assert list(parse(line)) == [expected]
    assert list(parse(line + "\r\n")) == [expected]


def test_lines_that_a_mail_encoded() -> None:
    """Soft line breaks in the middle of words, and "=" itself escaped."""
    mail = (
        "> > 2026-02-10T16:15:01.001815+01:00 pc kernel: [T45426] mce: [Har=\n"
        "dware Error]: Machine check events logged\n"
        "> > 2026-02-10T16:15:02.001815+01:00 pc kernel: ata2: COMRESET fai=\r\n"
        "led (errno=3D-16)\n"
        ">> [=C2=A0=C2=A0=C2=A0 8.222763] sd 1:0:0:0: [sda] Attached SCSI disk\n"
    )
    assert [(m.time_s, m.text) for m in parse(mail)] == [
        (None, "mce: [Hardware Error]: Machine check events logged"),
        (None, "ata2: COMRESET failed (errno=-16)"),
        (8.222763, "sd 1:0:0:0: [sda] Attached SCSI disk"),
    ]


def test_lines_that_lost_their_ends() -> None:
    """A serial console lost one, a web page all."""
    log = (
        "[    6.156031] ata1: link is slow to respond (ready=0)[    6.189669][   T12] scsi 8:0:0:0: Direct-Access\n"
        f"> [{DAY}] usb 3-1: device descriptor read/64, error > -71 [{DAY}] usb 3-1: new device\n"
        "Sep 23 19:05:33 pc kernel: [   12.345678] mce: [Hardware Error]: hello [   13.345678] ata1: hello\n"
    )
    assert [(m.time_s, m.text) for m in parse(log)] == [
        (6.156031, "ata1: link is slow to respond (ready=0)"),
        (6.189669, "scsi 8:0:0:0: Direct-Access"),
        (None, "usb 3-1: device descriptor read/64, error > -71"),
        (None, "usb 3-1: new device"),
        (12.345678, "mce: [Hardware Error]: hello"),
        (13.345678, "ata1: hello"),
    ]


def test_a_line_may_end_like_an_encoded_one() -> None:
    log = "[    0.0] Command line: root=/dev/sda1 quiet some.module.option=\n[    1.0] x=3D\n"
    assert [m.text for m in parse(log)] == ["Command line: root=/dev/sda1 quiet some.module.option=", "x=3D"]
    assert [m.text for m in parse("a=\nb\n")] == ["a=", "b"], "too short to be broken by a mail program"


def test_an_export_of_the_journal() -> None:
    record = "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1770736501001203\n__MONOTONIC_TIMESTAMP=1500000\n{}\n\n"
    kernel = record.format("MESSAGE=ata1: a=b\nPRIORITY=3\n_TRANSPORT=kernel")
    other = record.format("_TRANSPORT=syslog\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=ata1: no")
    assert list(parse(other + kernel)) == [Message(1.5, "ata1: a=b", "2026-02-10T15:15:01.001Z")]


@pytest.mark.parametrize(
    "line",
    [
        "Sep 23 19:05:33 pc sshd[12]: user I/O error, dev sda, sector 1",
        f"{AT} pc sshd[12]: I/O error, dev sda, sector 1",
        f"<38>1 {AT} pc sshd 12 - - I/O error, dev sda, sector 1",
        "[   12.345678] pc sshd[12]: I/O error, dev sda, sector 1",
        '{"MESSAGE": "I/O error, dev sda, sector 1", "_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "sshd"}',
        "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: I/O error, dev sda, sector 1",
    ],
)
def test_other_programs_are_not_the_kernel(line: str) -> None:
    assert not list(parse(line))


@pytest.mark.parametrize("text", ["sd 0:0:0:0: [sdb] hello", "nvme nvme0: hello", "usb 1-3: hello", "ata1.00: hello"])
def test_a_log_without_its_hosts_loses_nothing(text: str) -> None:
    (message,) = parse(f"Sep 23 19:05:33 {text}")
    assert message.text.endswith(text)


def test_what_a_syslog_joined_is_counted() -> None:
    log = (
        "Sep 23 19:05:33 pc kernel: ata1: hello\n"
        "Sep 23 19:05:40 pc kernel: message repeated 4 times: [ ata1: hello]\n"
        "Sep 23 19:05:50 pc last message repeated 3 times\n"
        "Sep 23 19:05:51 pc sshd[1]: ata1: hello\n"
        "Sep 23 19:05:52 pc last message repeated 90 times\n"
        "Sep 23 19:05:53 pc sshd[1]: message repeated 90 times: [ ata1: hello]\n"
    )
    assert [(m.text, m.times) for m in parse(log)] == [("ata1: hello", n) for n in (1, 4, 3)]


def test_the_newest_lines_are_kept() -> None:
    text = "\n".join(["old"] * 3 + ["new"] * LINES_MOST)
    assert newest(text) == "\n".join(["new"] * LINES_MOST)
    assert len(newest("x" * (TEXT_MOST + 7))) == TEXT_MOST
    assert newest("a\nb\n") == "a\nb\n"


EVENTS = (
    "ata1: hard resetting link",
    "critical medium error, dev sda, sector 8",
    "EDAC MC0: 1 UE on DIMM_A1 (channel:0)",
    "usb 1-3: device descriptor read/64, error -71",
    "pcieport 0000:00:1c.4: PCIe Bus Error: severity=Corrected, type=x",
    "all is well",
)
FORMS = (
    "[   12.345678] {}",
    "[Tue Jun  7 09:54:23 2022] {}",
    "<3>[   12.345678] {}",
    "kern  :err   : [   12.345678] {}",
    "Sep 23 19:05:33 pc kernel: {}",
    "Sep 23 19:05:33 pc kernel: [   12.345678] {}",
    f"{AT} pc kernel: {{}}",
    f"<3>1 {AT} pc kernel - - - {{}}",
    "[   12.345678] pc kernel: {}",
    "> > [   12.345678] {}",
    "3,339,5140900,-;{}",
    "{}",
)


@given(st.lists(st.sampled_from(EVENTS), max_size=20), st.sampled_from(FORMS))
def test_the_form_of_the_log_does_not_change_the_count(events: list[str], form: str) -> None:
    def counts(log: str) -> list[tuple[str, str, int]]:
        return [(s.family.name, s.device, s.count) for s in survey(parse(log))]

    plain = counts("\n".join(f"[ 1.0] {event}" for event in events))
    assert counts("\n".join(form.format(event) for event in events)) == plain
    assert counts("\n".join(json.dumps({"MESSAGE": event, "_TRANSPORT": "kernel"}) for event in events)) == plain


PIECES = st.sampled_from(
    (
        *(
            ">",
            "[",
            "]",
            "<4>",
            " 12.5",
            "{",
            '"MESSAGE": ',
            "Sep 23 19:05:33 ",
            "pc ",
            "kernel: ",
            "=",
            "\n",
            ":",
            "\0",
        ),
        *(
            "__CURSOR=",
            "message repeated 3 times: [",
            "last message repeated 99999999 times",
            "- 1117838570 2005.06.03 ",
        ),
        *("é", "\u2028", "\ud800", "a" * 99),
    )
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_breaks_it(text: str) -> None:
    for message in parse(text):
        assert message.text
    for line in text.split("\n"):
        is_stamped(line)


def test_hostile_lines_take_no_time() -> None:
    """The time that a line takes grows with its length, whatever it repeats: no expression backtracks without end."""
    rng = random.Random(1)
    literals = [literal for family in families() for literal, _ in family.patterns]
    parts = [*literals, "ata1: ", "[sda] ", "0000:00:1c.4: ", " on ", "("]
    stamps = ["> ", "[", "[ 1.0] ", "Sep 23 19:05:33 ", "<4>", "{", "[a]", "1 ", "- 1117838570 2005.06.03 "]
    lines = [(part * 1000)[:1000] for part in (*parts, *stamps)]
    lines += ["".join(rng.choices(parts, k=99))[:1000] for _ in range(300)]
    began = time.process_time()
    survey(parse("\n".join(lines)))
    assert time.process_time() - began < 5.0, f"{len(lines)} lines"
