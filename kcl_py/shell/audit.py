"""What exactly did this worker hand to user code, and when? A log for a judge, not for people.

One JSON object per line, appended to one file by one unbuffered write, so that any number of
processes may share it and nothing is lost to `kill -9`:

    {"t": 12.5, "kind": "record", "w": "host-17-9f2c", "k": "shardId-0", "e": 42, "p": "496/0"}

    t     seconds on CLOCK_BOOTTIME (one clock for all processes of a machine). For `record` it is
          the very reading that the fence check used, before the record is yielded.
    kind  worker_started, worker_ended    the worker as a whole; no k, e
          begun      a processor object is about to be made; an epoch may see several, in turn
          record     one record passed the guard and is yielded next; p is its position
          returned   a call of user code returned; m is the method, ok: whether it raised nothing
          fenced     the core ended the epoch before its time (lost, handed over, stopped)
    w     worker id
    k     lease key
    e     fencing token: one number for one epoch, growing
    p     position as SEQ/SUB

Overlap is judged by `begun` and `record` lines alone: one of an older epoch with a `t` later than
the first line of a newer epoch of the same key. `returned` may come late without guilt (a frozen
process was inside user code). A shard was ended by the processor when there is a `returned` line
with m = shard_ended and ok = true. Only iteration is seen: records that were reached by index or
slice leave no line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from kcl_py.core.commands import Method
from kcl_py.records import Record


class EpochAudit:
    """Writes the lines of one epoch."""

    def __init__(self, write: Callable[[str], None], worker_id: str, key: str, token: int) -> None:
        self._write = write
        self._tail = f', "w": {json.dumps(worker_id)}, "k": {json.dumps(key)}, "e": {token}'

    def begun(self, at: float) -> None:
        """A processor object is about to be made."""
        self._write(f'{{"t": {at!r}, "kind": "begun"{self._tail}}}\n')

    def record(self, at: float, record: Record) -> None:
        """A record is yielded next; `at` is the reading of the fence check."""
        place = f"{record.sequence_number}/{record.sub_sequence_number}"
        self._write(f'{{"t": {at!r}, "kind": "record"{self._tail}, "p": "{place}"}}\n')

    def returned(self, at: float, method: Method, *, ok: bool) -> None:
        """A call of user code has returned."""
        what = f', "m": "{method}", "ok": {json.dumps(ok)}'
        self._write(f'{{"t": {at!r}, "kind": "returned"{self._tail}{what}}}\n')

    def fenced(self, at: float) -> None:
        """The epoch is over, by order of the core."""
        self._write(f'{{"t": {at!r}, "kind": "fenced"{self._tail}}}\n')


class AuditLog:
    """The file. Every line is one `write` to a descriptor opened for appending.

    Raises:
        OSError: The file cannot be opened, or a line not be written: holes prove nothing.
    """

    def __init__(self, path: str | os.PathLike[str], worker_id: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        self._file = os.open(Path(path), flags, 0o644)
        self._worker_id = worker_id

    def epoch(self, key: str, token: int) -> EpochAudit:
        """Return the writer of one epoch."""
        return EpochAudit(self._write, self._worker_id, key, token)

    def worker_started(self, at: float) -> None:
        """The worker runs."""
        self._worker(at, "worker_started")

    def worker_ended(self, at: float) -> None:
        """The worker is done, however."""
        self._worker(at, "worker_ended")

    def _worker(self, at: float, kind: str) -> None:
        self._write(f'{{"t": {at!r}, "kind": "{kind}", "w": {json.dumps(self._worker_id)}}}\n')

    def _write(self, line: str) -> None:
        data = line.encode()
        if os.write(self._file, data) != len(data):
            raise OSError("the audit log could not be written whole; is the disk full?")
