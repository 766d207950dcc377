"""What ends a command early: one clear line, and the exit status that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.model import Text

if TYPE_CHECKING:
    from pathlib import Path

USAGE = 2
INCOMPLETE = 3
STOPPED = 130


class Problem(Exception):
    """One line for the person; ``status`` is 2 for usage and bad input, 3 where something could not be done."""

    def __init__(self, text: Text, status: int = USAGE) -> None:
        super().__init__(str(text))
        self.text = text
        self.status = status


def existing_file(typed: str) -> Path:
    """The plain file that somebody named; raises :class:`Problem` where there is none."""
    from pathlib import Path

    path = Path(typed)
    if not path.is_file():
        raise Problem(Text("there is no file {path}", {"path": typed}))
    return path


@contextmanager
def explained(status: int = INCOMPLETE) -> Iterator[None]:
    """Turn what journal and uploader raise (each with its reason for the person) into a :class:`Problem`."""
    from agent.diagnose.files import InputRefused
    from agent.journal import JournalDamaged, JournalError
    from agent.runner.restarting import Restarting, RestartRefused
    from uploader.bundle.encrypt import EncryptFailed
    from uploader.bundle.seal import SealFailed
    from uploader.bundle.verify import BundleRejected
    from uploader.http import BadAddress, ReceiverError
    from uploader.keys import KeyUnusable
    from uploader.outbox import OutboxError
    from uploader.receiver import UnknownCase

    try:
        yield
    except (BadAddress, UnknownCase, InputRefused) as e:
        raise Problem(e.reason, USAGE) from e
    except (JournalError, SealFailed, EncryptFailed, BundleRejected, ReceiverError, KeyUnusable, OutboxError) as e:
        raise Problem(e.reason, status) from e
    except (Restarting, RestartRefused) as e:
        raise Problem(e.reason, status) from e
    except JournalDamaged as e:
        raise Problem(Text("the journal is damaged: {error}", {"error": str(e)}), status) from e
