"""`kcl tail` and `kcl decode`: what is in a stream, and what is in a record?"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from kcl_py.cli.errors import OutOfTime
from kcl_py.cli.options import Output, Shared
from kcl_py.cli.streams.payloads import Condition, Form, Shown, parse_condition, show
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.records import Record
    from kcl_py.streams import Reader, ShardRecord

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STREAM] [SHARD]...",
        help="The stream, unless --stream says it; only these shards, and what becomes of them.",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="PLACE",
        help="earliest, latest, 2026-11-21T10:00Z, -15m, at:SEQ/SUB or after:SEQ/SUB.",
    ),
]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on until interrupted, through reshardings.")
]
Decode = Annotated[Form, typer.Option("--decode", help="What data is taken for.")]

SHARD_BEGINS: Final = "shardId-"
LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Base64 of the largest record, 10 MiB, and some."""


def tail(
    shared: Shared,
    *,
    names: Names = None,
    start: Start = None,
    follow: Follow = False,
    decode: Decode = Form.AUTO,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FIELD=VALUE", help="Only such JSON; all of several."),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", "-n", metavar="N", min=1, help="End after so many.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Leave aggregated records closed.")] = False,
) -> int:
    """Show records of a stream, without leases or checkpoints.

    Ends at the newest record unless --follow is given; begins at the oldest then, else at the
    newest. All who read a shard share its limits, so a tail may slow down consumers of it. After
    --timeout it ends; without --follow that is exit code 5, for the newest record was not reached.
    """
    from kcl_py.cli.streams.access import open_stream
    from kcl_py.streams import Reader

    stream, shards = _named(names or [])
    if follow and shared.form is Output.JSON:
        raise ConfigError("one JSON document has no end with --follow; use -o jsonl")
    conditions = [parse_condition(text) for text in where or ()]
    reader = Reader(
        open_stream(shared, stream),
        start=start or ("latest" if follow else "earliest"),
        shard_ids=shards,
        deaggregate=not raw,
        max_records=None if conditions else most,
        until_caught_up=not follow,
    )
    ending = _Ending(reader, shared.timeout_seconds)
    with ending, reader:
        rows = _rows(reader, decode, conditions, most)
        if follow:
            _follow(shared, rows)
        elif not _write(shared, rows, _line_of_tail) and not ending.is_out_of_time:
            _talk("there are no such records" if conditions else "there are no records")
    if ending.is_out_of_time and not follow:
        raise OutOfTime(f"the newest record was not reached within {shared.timeout}")
    return 0


def _follow(shared: Shared, rows: Iterator[dict[str, Any]]) -> None:
    _talk("showing what comes; end with Ctrl-C")
    try:
        _write(shared, rows, _line_of_tail)
    except KeyboardInterrupt:
        _talk("")  # the terminal has shown ^C in this line


def _named(names: list[str]) -> tuple[str | None, list[str] | None]:
    """Tell stream and shards apart, by how the service names all shards."""
    is_stream = bool(names) and not names[0].startswith(SHARD_BEGINS)
    stream, shards = (names[0], names[1:]) if is_stream else (None, names)
    return stream, shards or None


def _talk(text: str) -> None:
    """Say this to somebody at a terminal."""
    if sys.stderr.isatty():
        from kcl_py.cli.output import say

        say(text)


class _Ending:
    """Closes a reader after some time.

    Attributes:
        is_out_of_time: It did.
    """

    def __init__(self, reader: Reader, seconds: float | None) -> None:
        self.is_out_of_time = False
        self._reader = reader
        self._timer = None if seconds is None else threading.Timer(seconds, self._end)

    def __enter__(self) -> None:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        self.is_out_of_time = True
        self._reader.close()


def _rows(
    found: Iterable[ShardRecord], form: Form, conditions: list[Condition], most: int | None
) -> Iterator[dict[str, Any]]:
    count = 0
    for each in found:
        record = each.record
        shown = show(record.data, form)
        if conditions and not all(
            condition.holds(_as_json(record, shown)) for condition in conditions
        ):
            continue
        yield {
            "shard_id": each.shard_id,
            "position": str(record.position),
            "arrival_time": record.arrival_time.isoformat(),
            "partition_key": record.partition_key,
            **_shown(shown),
        }
        count += 1
        if count == most:
            return


def _as_json(record: Record, shown: Shown) -> Any:  # noqa: ANN401 - JSON may be anything
    """Conditions are about what the data is, however it is shown."""
    return shown.value if "json" in shown.form else show(record.data, Form.AUTO).value


def _shown(shown: Shown) -> dict[str, Any]:
    row: dict[str, Any] = {"data": shown.value, "decoded_as": shown.form}
    return row if shown.problem is None else {**row, "problem": shown.problem}


def _write(shared: Shared, rows: Iterator[dict[str, Any]], line_of: Any) -> int:  # noqa: ANN401
    """Write them as they come; return how many."""
    from kcl_py.cli.output import print_json, print_jsonl

    if shared.form is Output.JSON:
        every = list(rows)
        print_json(every)
        return len(every)
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one counts
        if shared.form is Output.JSONL:
            print_jsonl([row])
        else:
            sys.stdout.write(line_of(row) + "\n")
            sys.stdout.flush()
    return count


def _line_of_tail(row: dict[str, Any]) -> str:
    """A line for eyes: when, where, key, data."""
    problem = f"  ({row['problem']})" if "problem" in row else ""
    place = f"{row['shard_id']}  {row['position']}"
    return f"{row['arrival_time']}  {place}  {_plain(row['partition_key'])}  {_data(row)}{problem}"


def _line_of_decode(row: dict[str, Any]) -> str:
    problem = f"  ({row['problem']})" if "problem" in row else ""
    lead = f"{row['sub']}  {_plain(row['partition_key'])}  " if "sub" in row else ""
    return f"{lead}{_data(row)}{problem}"


def _data(row: dict[str, Any]) -> str:
    import json

    value = row["data"]
    if "json" in row["decoded_as"]:
        return _plain(json.dumps(value, ensure_ascii=False))
    return str(value)


def _plain(text: str) -> str:
    """Nothing that would drive a terminal."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


# ------------------------------------------------------------------------------------------- decode


def decode(shared: Shared, *, form: Decode = Form.AUTO) -> int:
    """Show data that is base64 on stdin, one record per line.

    Opens aggregated records. Needs no network: paste the Data of any record.
    """
    _write(shared, _decoded(form), _line_of_decode)
    return 0


def _decoded(form: Form) -> Iterator[dict[str, Any]]:
    from kcl_py.cli.output import say_reading

    say_reading("lines of base64")
    try:
        for number, line in enumerate(sys.stdin, start=1):
            text = line.strip().strip('",')
            if text:
                yield from _opened(_bytes(text, number), form)
    except UnicodeDecodeError:
        raise ConfigError(
            "what comes from stdin is no text; paste the Data of a record, which is base64"
        ) from None


def _bytes(text: str, number: int) -> bytes:
    import base64
    import binascii

    if len(text) > LINE_BYTES_MAX:
        raise ConfigError(f"line {number} is longer than any record")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"line {number} is no base64; paste the Data of a record") from None


def _opened(data: bytes, form: Form) -> Iterator[dict[str, Any]]:
    from kcl_py.aggregation import deaggregate
    from kcl_py.records import Record

    record = Record(sequence_number="0", data=data, partition_key="", arrival_timestamp=0.0)
    opened = deaggregate(record)
    if not opened.opened_count:
        yield _shown(show(data, form))
        return
    for each in opened.records:
        key = {"partition_key": each.partition_key, "explicit_hash_key": each.explicit_hash_key}
        yield {"sub": each.sub_sequence_number, **key, **_shown(show(each.data, form))}
