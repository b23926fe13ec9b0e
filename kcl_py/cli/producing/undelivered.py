"""What was not delivered, and why? Counted by reason, and written down where `--failed` says."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.producer.results import PutFailure

SKIPPED = "BadInput"


class Undeliverable:
    """Thread-safe.

    Args:
        path: Where to write; None: count only.
        source: The input, which must not be the same file.

    Attributes:
        by_code: How many were handed back by the producer, for each reason.
        messages: What was said first, for each reason.
        problem: Why not all could be written down.
    """

    def __init__(self, path: Path | None, source: Path | None) -> None:
        self.by_code: Counter[str] = Counter()
        self.messages: dict[str, str] = {}
        self.skipped = 0
        self.problem: str | None = None
        self._path = path
        self._lock = threading.Lock()
        self._seen: set[int] | None = None
        self._last: PutFailure | None = None
        self._file: TextIO | None = None if path is None else _open(path, source)

    @property
    def count(self) -> int:
        """How many the producer has handed back."""
        return sum(self.by_code.values())

    def hear(self, failure: PutFailure) -> None:
        """Take one that the producer hands back."""
        with self._lock:
            if self._seen is not None:
                if id(failure) in self._seen:
                    return
                self._seen.add(id(failure))
            self._last = failure
            self.by_code[failure.error_code] += 1
            self.messages.setdefault(failure.error_code, failure.error_message)
            self._write(
                failure.data,
                failure.partition_key,
                failure.explicit_hash_key,
                failure.error_code,
                failure.error_message,
            )

    def tell_twice(self) -> None:
        """From now on the same failure may come in two ways, and counts once.

        The producer calls for one after the other, so that the last one may be under way just now.
        """
        with self._lock:
            self._seen = set() if self._last is None else {id(self._last)}

    def skip(self, data: bytes, key: str | None, problem: str) -> None:
        """Take one that could not even be put."""
        with self._lock:
            self.skipped += 1
            self._write(data, key, None, SKIPPED, problem)

    def close(self) -> None:
        """End the file; one without a line goes away."""
        with self._lock:
            file, self._file = self._file, None
            if file is None or self._path is None:
                return
            try:
                file.close()
                # A device or a pipe stays what it is.
                if self._path.is_file() and self._path.stat().st_size == 0:
                    self._path.unlink()
            except OSError as error:
                self.problem = self.problem or str(error)
            if (self.count or self.skipped) and not self._path.exists():
                self.problem = self.problem or "somebody took it away meanwhile"

    def _write(
        self, data: bytes, key: str | None, hash_key: str | None, code: str, message: str
    ) -> None:
        if self._file is None:
            return
        row = {"data": base64.b64encode(data).decode(), "key": key}
        if hash_key is not None:
            row["hash_key"] = hash_key
        try:
            self._file.write(json.dumps(row | {"error": code, "message": message}) + "\n")
        except OSError as error:
            # Counting goes on; whoever reads the outcome is told that the file is not whole.
            self.problem = self.problem or str(error)


def _open(path: Path, source: Path | None) -> TextIO:
    if source is not None and path.exists() and path.samefile(source):
        raise ConfigError(f"--failed {path} is the input; name another file")
    if path.exists() and path.stat().st_size:
        raise ConfigError(f"--failed {path} has something in it; move it away, or name another")
    try:
        return path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ConfigError(f"--failed {path} cannot be written: {error.strerror}") from None
