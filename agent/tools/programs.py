"""The programs that the agent may start, each by absolute path. Nothing is looked up in ``PATH``."""

from __future__ import annotations

from typing import NamedTuple

MEMORY_CAP = 256 * 1024 * 1024
"""Bytes of memory of a program's own; ours, measured: smartctl, nvme, dmidecode and journalctl start with 1 MiB, a
worker of stress-ng that calculates with 32 MiB. Set as
RLIMIT_DATA, which counts private writable memory (since Linux 4.7, getrlimit(2)) and not the files journalctl maps.
"""
DRAWING_CAP = 4 * MEMORY_CAP
"""Bytes for one that draws; ours, not measured: the graphics driver works inside it, with a compiler and a stack of
8 MiB for each of its threads. One that gets too little memory would end as if the graphics had failed.
"""


class Program(NamedTuple):
    """An external program: where it may be, in order of preference, and the Debian package that brings it.

    ``memory_cap`` is in bytes; ``None`` for one whose work is memory.
    """

    paths: tuple[str, ...]
    package: str
    purpose: str
    memory_cap: int | None = MEMORY_CAP


PROGRAMS: dict[str, Program] = {
    "amixer": Program(("/usr/bin/amixer",), "alsa-utils", "how loud the sound is turned up"),
    "arecord": Program(("/usr/bin/arecord",), "alsa-utils", "what the microphone hears of a tone, which is not kept"),
    "dmesg": Program(("/usr/bin/dmesg", "/bin/dmesg"), "util-linux", "kernel log where no journal is kept"),
    "dmidecode": Program(("/usr/sbin/dmidecode",), "dmidecode", "unit identity and memory modules"),
    "fio": Program(("/usr/bin/fio",), "fio", "reading whole drives, writing and checking files"),
    "iw": Program(("/usr/sbin/iw",), "iw", "Wi-Fi link"),
    "journalctl": Program(
        ("/usr/bin/journalctl", "/bin/journalctl"), "systemd", "kernel log of this and earlier boots"
    ),
    "last": Program(("/usr/bin/last", "/bin/last"), "util-linux", "starts and shutdowns"),
    "lsusb": Program(("/usr/bin/lsusb",), "usbutils", "questions to USB devices"),
    "nvme": Program(("/usr/sbin/nvme",), "nvme-cli", "logs of NVMe drives"),
    "ping": Program(("/usr/bin/ping", "/bin/ping"), "iputils-ping", "questions to the router"),
    # The helper that it becomes limits itself (agent.privileged).
    "pkexec": Program(("/usr/bin/pkexec",), "pkexec", "what only an administrator may see, after a question", None),
    "rtcwake": Program(("/usr/sbin/rtcwake",), "util-linux", "sleep, and the alarm that ends it"),
    "smartctl": Program(("/usr/sbin/smartctl",), "smartmontools", "health of storage devices"),
    "speaker-test": Program(("/usr/bin/speaker-test",), "alsa-utils", "tones"),
    "stressapptest": Program(("/usr/bin/stressapptest",), "stressapptest", "load and check of the memory", None),
    "stress-ng": Program(
        ("/usr/bin/stress-ng",), "stress-ng", "load and check of the processor, load of the graphics", DRAWING_CAP
    ),
    "systemctl": Program(
        ("/usr/bin/systemctl", "/bin/systemctl"), "systemd", "restarting the unit where a plan says so"
    ),
    "tpm2_activatecredential": Program(
        ("/usr/bin/tpm2_activatecredential",), "tpm2-tools", "the proof that the device's key is in the TPM"
    ),
    "tpm2_createek": Program(("/usr/bin/tpm2_createek",), "tpm2-tools", "the TPM's key that its maker certified"),
    "tpm2_createprimary": Program(("/usr/bin/tpm2_createprimary",), "tpm2-tools", "the device's key in the TPM"),
    "tpm2_flushcontext": Program(("/usr/bin/tpm2_flushcontext",), "tpm2-tools", "room in the TPM"),
    "tpm2_nvread": Program(("/usr/bin/tpm2_nvread",), "tpm2-tools", "the certificate of the TPM's maker"),
    "tpm2_policysecret": Program(("/usr/bin/tpm2_policysecret",), "tpm2-tools", "the use of the TPM's certified key"),
    "tpm2_readclock": Program(("/usr/bin/tpm2_readclock",), "tpm2-tools", "the TPM's own clock"),
    "tpm2_readpublic": Program(("/usr/bin/tpm2_readpublic",), "tpm2-tools", "what the device's key in the TPM is"),
    "tpm2_sign": Program(("/usr/bin/tpm2_sign",), "tpm2-tools", "signatures by the TPM"),
    "tpm2_startauthsession": Program(
        ("/usr/bin/tpm2_startauthsession",), "tpm2-tools", "the use of the TPM's certified key"
    ),
    "v4l2-ctl": Program(("/usr/bin/v4l2-ctl",), "v4l-utils", "pictures of the cameras, of which none is kept"),
}
