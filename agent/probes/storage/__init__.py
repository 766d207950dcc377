"""Storage devices: what the kernel shows in sysfs, and what each drive tells of its own health (SMART).

Gathered: one ``tree`` of sysfs (``_drives.PATTERNS``) and, side by side, one run of smartctl per drive
(``smartctl-json``: JSON with the text lines inside; ``smartctl-no-answer`` where it did not come back in time).
``smartctl-text`` is understood as well: plain smartctl output from another machine.

Such a report is turned into the document that smartctl's JSON would have been (``_report``), so that one reader
(``_smart_json``) gives both their meaning. The text lines inside JSON are read by pySMART (``_smart_text``). Where both
know a fact the JSON wins: it is typed, while pySMART cuts a serial number at its first blank, a model at its second
colon, and takes whatever number comes first in a raw value. JSON that was cut off counts as far as it goes, with a gap.

Readings; subject is the block device (``sda``) or the NVMe controller (``nvme0``); absent where unknown:

=============================================== ====== =================================================================
``storage.size``                                B      user capacity
``storage.rotational``, ``.removable``                 yes/no
``storage.rotation_rate``                       rpm
``storage.transport``, ``.state``                      nvme, sata, usb, virtio, xen, mmc, scsi; the kernel's state
``storage.io_errors``                           count  commands that ended in an error since boot (SCSI and ATA)
``storage.responds``                                   whether the drive answers at all
``storage.smart.available``, ``.passed``               the drive's own verdict
``storage.smart.exit_status``                   count  smartctl's exit status, a bit field (smartctl(8))
``storage.temperature``                         °C     now; ``.limit`` recommended by the maker; ``.lifetime_max``
``storage.temperature.over_limit``              count  times above the limit (SCT); ``.over_limit_time``: s
``storage.power_on_time``                       h
``storage.power_cycles``                        count
``storage.percentage_used``                     %      of the rated endurance, 0..255 (NVMe; SCSI; ATA statistics or
                                                       the drive's life attribute)
``storage.ata.<id>.name``                              by smartctl's drive database
``storage.ata.<id>.raw``                        count  decoded: see ``_facts.decoded_raw``
``storage.ata.<id>.value``, worst, threshold    1      normalised, 0..255, higher is better
``storage.ata.<id>.failing``, ``.prefailure``          only at its limit: ``now`` or ``past``; predicts failure
``storage.ata.error_log.count``                 count  errors ever; of those kept ``.media``, ``.interface``
``storage.ata.error_log.media.last``            h      power-on time of the last kept error of the medium
``storage.ata.statistics.reported_uncorrectable`` count since the drive was made; also ``.interface_crc``
``storage.ata.pending_defects``                 count  kept in the log of sectors that cannot be read
``storage.ata.phy.crc``, ``.resets``            count  SATA link, since the drive's power-on
``storage.selftest.count``                      count  kept in the log
``storage.selftest.last.passed``, ``.time``     h      the newest that came to an end
``storage.selftest.failures``                   count  not made outdated by a later extended test
``storage.selftest.failure.status``, time, lba  h      the newest of them
``storage.nvme.critical_warning``               count  bit field (NVM Express Base Specification 2.0, 5.16.1.3)
``storage.nvme.available_spare``                %      and ``.available_spare_threshold``
``storage.nvme.media_errors``                   count  also ``.error_log_entries``, ``.unsafe_shutdowns``
``storage.nvme.error_log.media``                count  kept entries that tell of the medium
``storage.nvme.warning_temp_time``              s      above the warning limit; also ``.critical_temp_time``
``storage.scsi.grown_defects``, uncorrected     count  also ``.pending_defects``
``storage.scsi.sense``                                 what it reports of its state, ``asc/ascq`` in hexadecimal
=============================================== ====== =================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from agent.host import Host, now
from agent.model import Evidence, Gap, Outcome, Text, Tree
from agent.probes._probe import Probe, Seen
from agent.probes.storage._drives import PATTERNS, Drive, drives
from agent.probes.storage._facts import DriveFacts
from agent.probes.storage._seen import Asked, seen

_NO_ANSWER = "smartctl-no-answer"
_ANSWER_S = 20.0
"""Seconds for one drive. A healthy one answers within 3 s, one that must spin up first within 15 s (data sheets of
desktop drives); the kernel gives up a command after 30 s (/sys/block/*/device/timeout). Ours."""
_ARGUMENTS = ("--json=oc", "-x", "-f", "old")
"""Everything; compact JSON with the text lines inside; attribute rows in the one format that pySMART reads. Without
``-n standby``: a drive that sleeps is woken, for its health was asked for."""


class StorageProbe(Probe):
    """Inventory and health of every drive."""

    area: ClassVar[str] = "storage"
    timeout_s: ClassVar[float] = 30.0
    programs: ClassVar[tuple[str, ...]] = ("smartctl",)

    def gather(self, host: Host) -> Iterator[Evidence | Gap]:
        """See the module."""
        tree = host.tree(*PATTERNS)
        yield tree
        asked = {drive.name: drive for drive in drives(tree.tree()) if drive.smart}
        if not host.is_root:
            yield from (_not_asked(drive, Text("needs root"), "sudo aiodiag probe storage") for drive in asked.values())
            return
        answers = host.each(asked, lambda name: _ask(host, asked[name]), timeout_s=_ANSWER_S + 5)
        for answer in answers:
            yield replace(answer, essential=asked[answer.subject].internal) if isinstance(answer, Gap) else answer

    def gather_parts(self, host: Host) -> Iterator[Evidence | Gap]:
        """The kernel knows model and serial of most drives; none is asked, so none can keep us waiting."""
        yield host.tree(*PATTERNS)

    def interpret(self, evidence: Sequence[Evidence]) -> Iterator[Seen]:
        """See the module. An area with no drive at all, or with no evidence, gives an essential gap."""
        trees = [e for e in evidence if e.kind == "tree"]
        answers = {e.subject: e for e in evidence if e.kind in {"smartctl-json", "smartctl-text", _NO_ANSWER}}
        shown = {drive.name: drive for drive in drives(Tree.merged(trees))}
        if not trees and not answers:
            yield Gap("", Outcome.ERROR, Text("could not be read: {error}", {"error": "no evidence"}), essential=True)
        elif not shown and not answers:
            yield Gap("", Outcome.UNSUPPORTED, Text("no such hardware"), essential=True)
        real = any(drive.internal and not drive.virtual for drive in shown.values())
        for name in {**shown, **answers}:
            beside_real = real and name in shown and shown[name].virtual
            for item in seen(_asked(name, shown.get(name), answers.get(name), trees)):
                # A disk that a hypervisor made up is no part of the unit; alone it is all that could have been judged.
                yield replace(item, essential=False) if beside_real and isinstance(item, Gap) else item


PROBE = StorageProbe()


def _ask(host: Host, drive: Drive) -> Evidence | Gap:
    from agent.tools import Status  # here: naming the parts starts no program

    started = now()
    arguments = (*_ARGUMENTS, drive.path)
    result = host.run("smartctl", *arguments, timeout_s=_ANSWER_S)
    if result.status is Status.MISSING:
        reason = result.reason or Text("{program} is not installed", {"program": "smartctl"})
        return _not_asked(drive, reason, "sudo apt-get install smartmontools")
    if result.status is Status.NOT_PERMITTED:
        return _not_asked(drive, Text("needs root"), "sudo aiodiag probe storage")
    return Evidence(
        kind=_NO_ANSWER if result.status is Status.TIMED_OUT else "smartctl-json",
        subject=drive.name,
        data=result.stdout or result.stderr,
        source=" ".join(("smartctl", *arguments)),
        time=started,
        exit_status=result.exit_status,
        duration_s=result.duration_s,
        truncated=result.truncated,
        problem=result.reason,
    )


def _not_asked(drive: Drive, reason: Text, remedy: str) -> Gap:
    return Gap(drive.name, Outcome.UNSUPPORTED, reason, drive.internal, remedy)


def _asked(name: str, drive: Drive | None, answer: Evidence | None, trees: Sequence[Evidence]) -> Asked:
    facts, whole = DriveFacts(), True
    if answer is not None and answer.kind == "smartctl-json":
        from agent.probes.storage import _cut_json
        from agent.probes.storage._smart_json import json_facts, output_lines
        from agent.probes.storage._smart_text import text_facts

        document, whole = _cut_json.loads(answer.data)
        facts = text_facts(output_lines(document)).overlaid(json_facts(document))
    elif answer is not None and answer.kind == "smartctl-text":
        from agent.probes.storage._report import document_of
        from agent.probes.storage._smart_json import json_facts

        facts = json_facts(document_of(answer.text().splitlines()))
    read = answer or trees[0]
    return Asked(
        name=name,
        drive=drive,
        facts=facts,
        evidence=answer,
        answered=answer is None or answer.kind != _NO_ANSWER,
        whole=whole,
        source=read.source if answer else "sysfs",
        time=read.time,
    )
