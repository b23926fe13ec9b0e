"""What is `kcl produce` to read? A file, stdin or a demo, opened."""

from __future__ import annotations

import os
import random
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from kcl_py.cli.output import say_reading
from kcl_py.cli.producing.forms import Format
from kcl_py.cli.producing.inputs import PEEK_BYTES, Found, guess, open_source, place_name
from kcl_py.errors import ConfigError
from kcl_py.settings import parse_setting

SECONDS_OF: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Records that come.

    Attributes:
        name: What it is called.
        path: Where it is; None: no file.
        place: What places in it are called.
        total: How much there is; None: nobody knows.
        done: How much of that was read.
        is_endless: Only somebody ends it.
        close: At the end.
    """

    name: str
    form: Format
    records: Iterator[Found]
    path: Path | None = None
    place: str = "line"
    total: int | None = None
    done: Callable[[], int] | None = None
    is_endless: bool = False
    close: Callable[[], object] = bool

    @property
    def taken_for(self) -> str:
        """The input and what it was taken for."""
        return f"{self.name}, read as {self.form}"


def open_demo(name: str, count: int | None) -> Input:
    """Open what has no end, and is named after what it makes up."""
    from kcl_py.cli.producing.people import users

    made = users(random.Random())
    return Input(
        name=name,
        form=Format.JSONL,
        records=made,
        place="user",
        total=count,
        is_endless=count is None,
    )


def open_input(
    name: str | None, form: Format, read: Callable[[Iterator[bytes]], bytes | None]
) -> Input:
    """Open a file, or stdin.

    Args:
        read: Reads one more, and may be told to stop; looking at the beginning may last as long as
            any read.

    Raises:
        ConfigError: It cannot be read.
    """
    path = None if name is None or name == "-" else Path(name)
    if path is None:
        say_reading("lines")
    file = sys.stdin.buffer if path is None else _open(path)
    if form is Format.AUTO:
        form = guess("" if path is None else path.name, read(_begin(file)) or b"")
    status = None if path is None else path.stat()
    return Input(
        name="stdin" if path is None else str(path),
        form=form,
        records=open_source(file, form),
        path=path,
        place=place_name(form),
        total=status.st_size if status and stat.S_ISREG(status.st_mode) else None,
        done=file.tell if status and stat.S_ISREG(status.st_mode) else None,
        close=bool if path is None else file.close,
    )


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None


def _begin(file: BinaryIO) -> Iterator[bytes]:
    """Look at the beginning without taking it."""
    peek = cast("Callable[[int], bytes] | None", getattr(file, "peek", None))
    yield b"" if peek is None else peek(PEEK_BYTES)[:PEEK_BYTES]


def seconds_of(flag: str, text: str) -> float:
    """Read a duration.

    Raises:
        ConfigError: It is none.
    """
    try:
        return cast("float", parse_setting("stop_grace", text))
    except ConfigError:
        raise ConfigError(
            f"{flag} {text} is not allowed; use a duration, as 500ms, 30s or 5m"
        ) from None


def rate_of(text: str) -> float:
    """Read a rate, in records per second.

    Raises:
        ConfigError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:/([smh]))?", text.strip())
    rate = float(found[1]) / SECONDS_OF[found[2] or "s"] if found else 0.0
    if rate <= 0:
        raise ConfigError(f"--rate {text} is not allowed; use 20/s, 100/m or 5/h")
    return rate
