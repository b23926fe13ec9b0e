"""`kcl dlq list|show|redrive`: which records were given up, and how do they come back?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py._words import counted
from kcl_py.cli.options import Output, Shared
from kcl_py.errors import ConfigError, KclError

if TYPE_CHECKING:
    from kcl_py.dead_letters.stored import Stored
    from kcl_py.dead_letters.stores import Store

COLUMNS: Final = (
    "id",
    "stream",
    "shard_id",
    "position",
    "arrival_time",
    "size_bytes",
    "attempts",
    "error_type",
    "failed_at",
)

NOT_ALL: Final = (
    "these may not be all: a FIFO queue shows the first ten letters of a shard, and others once "
    "those are taken out"
)
"""Source: FIFO delivery logic in the guide of SQS; `Queue.shows_at_once`."""

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file, sqs://HOST/ACCOUNT/QUEUE (or the queue's URL), or s3://BUCKET/PREFIX.",
    ),
]


def list_(
    shared: Shared,
    *,
    source: Source,
    most: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="At most so many.")
    ] = None,
) -> int:
    """List the dead letters of a file, a queue of SQS or a place in S3.

    Neither data nor error messages are shown: see `kcl dlq show`. Of a file, letters that were put
    back are not listed. Messages of a queue are hidden from others while they are listed. A FIFO
    queue never lists all for sure: of each shard (its message group) it shows the first ten at
    most, and others once these are taken out. That is said on stderr each time.
    """
    from kcl_py.cli.output import print_rows, say

    rows: list[dict[str, object]] = []
    problems: list[Stored] = []
    with _opened(shared, source) as store:
        for stored in store.read():
            if stored.letter is None:
                problems.append(stored)
            else:
                rows.append(_row(stored))
            if most is not None and len(rows) >= most:
                break
        print_rows(shared, rows, COLUMNS, counted(len(rows), "dead letter"))
        _tell_problems({stored.name: stored.problem or "" for stored in problems})
        if store.shows_at_once is not None:
            say(f"{NOT_ALL}, as kcl dlq redrive does")
    return 0


def show(
    shared: Shared,
    *,
    source: Source,
    name: Annotated[str, typer.Argument(metavar="ID", help="As `kcl dlq list` shows it.")],
) -> int:
    """Show one dead letter with its data.

    As text if it is text, else as base64; --json shows the whole letter, its data as base64.
    """
    from kcl_py.cli.output import print_json, print_jsonl
    from kcl_py.dead_letters.codec import encode_letter

    with _opened(shared, source) as store:
        stored = next((one for one in store.read() if one.name == name and one.letter), None)
        is_partly = store.shows_at_once is not None
    if stored is None or stored.letter is None:
        where = f"among those that {source} shows; {NOT_ALL}" if is_partly else f"in {source}"
        raise ConfigError(f"there is no dead letter {name} {where}; see kcl dlq list {source}")
    facts = {"id": stored.name, **encode_letter(stored.letter)}
    if shared.form is Output.JSON:
        print_json(facts)
    elif shared.form is Output.JSONL:
        print_jsonl([facts])
    else:
        facts["data"] = _readable(stored.letter.record.data)
        width = max(map(len, facts))
        lines = (f"{key.replace('_', ' '):{width}}  {value}" for key, value in facts.items())
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


def redrive(
    shared: Shared,
    *,
    source: Source,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME|ARN", help="Another stream than each came from."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="This letter; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
) -> int:
    """Put dead letters back into their stream, and take out what was delivered.

    With their partition key, and their explicit hash key where it is known; in the order of each
    key. A letter is taken out once its record is stored: messages and objects are deleted, lines of
    a file are marked in FILE.redriven. Exit code 1 if some could not be delivered; they are kept.
    Of one file only one redrive runs at a time; so do it with a place in S3.
    """
    from kcl_py.cli.repairing.redriving import Redriving

    with _opened(shared, source) as store:
        asked = frozenset(only or ())
        redriving = Redriving(shared, store, to=to, only=asked)
        if dry_run:
            return redriving.say_only()
        return redriving.run()


@contextmanager
def _opened(shared: Shared, source: str) -> Iterator[Store]:
    from kcl_py.cli.output import say
    from kcl_py.cli.session import make_session
    from kcl_py.dead_letters.stores import open_store

    store = open_store(source, make_session(shared))
    try:
        yield store
    finally:
        try:
            store.close()
        except KclError as error:
            # What was asked for is done all the same.
            say(f"messages that were looked at stay hidden from others for some minutes: {error}")


def _row(stored: Stored) -> dict[str, object]:
    letter = stored.letter
    assert letter is not None, "a row is a letter's"
    return {
        "id": stored.name,
        "app_name": letter.app_name,
        "stream": letter.stream_arn.rpartition("/")[2],
        "stream_arn": letter.stream_arn,
        "shard_id": letter.shard_id,
        "position": str(letter.record.position),
        "arrival_time": letter.record.arrival_time.isoformat(timespec="milliseconds"),
        "size_bytes": len(letter.record.data),
        "attempts": letter.attempts,
        "error_type": letter.error_type,
        "failed_at": letter.failed_at.isoformat(timespec="milliseconds"),
    }


def _readable(data: bytes) -> str:
    import base64

    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text
    return "base64:" + base64.b64encode(data).decode()


def _tell_problems(problems: dict[str, str]) -> None:
    from kcl_py.cli.output import say

    for name, problem in problems.items():
        say(f"{name} is no dead letter: {problem}; it is left there")
