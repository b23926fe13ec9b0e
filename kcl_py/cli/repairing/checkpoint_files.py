"""`kcl checkpoint export|import`: keep checkpoints in a file, and put them back."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py._words import counted
from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun
from kcl_py.cli.repairing.checkpoint_reset import Fence, carry_out
from kcl_py.errors import ConfigError, LeaseTableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcl_py.admin.resetting import Change, Reset
    from kcl_py.admin.saving import Saved
    from kcl_py.cli.looking.access import StreamAccess
    from kcl_py.core.leases.rows import LeaseRow
    from kcl_py.core.shards.graph import Shard

FILE_BYTES_MAX: Final = 256 * 1024 * 1024

File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON; - is stdout, or stdin.")]


def export(shared: Shared, *, file: File) -> int:
    """Write the checkpoints of all leases into a file.

    They are those of one moment per lease, so workers may run meanwhile; an existing file is
    replaced as a whole.
    """
    import json

    from kcl_py.admin.saving import to_document
    from kcl_py.cli.looking.access import lease_rows, open_access
    from kcl_py.cli.output import say

    access = open_access(shared)
    every = access.rows()
    application = access.application(every)
    rows = lease_rows(every)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    document = to_document(access.table.name, application, rows, now)
    text = json.dumps(document, indent=2) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
    else:
        _replace(file, text)
        say(f"wrote {counted(len(rows), 'checkpoint')} to {file}")
    return 0


def import_(shared: Shared, *, file: File, fence: Fence = False, dry_run: DryRun = False) -> int:
    """Put the checkpoints of a file back; asks before.

    Only into an application of the same stream. Shards that came since then begin at their oldest
    record if they descend from one that is put back, so that nothing behind the saved checkpoints
    is left out. Refuses with 4 while workers are alive, unless --fence is given, as reset does.
    """
    from kcl_py.admin.saving import check_same_stream, plan_import, read_document
    from kcl_py.cli.looking.access import lease_rows, open_access
    from kcl_py.cli.output import say

    name = str(file)
    saved = read_document(name, _read(file))
    access = open_access(shared)
    every = access.rows()
    application = access.application(every)
    check_same_stream(name, saved, application)
    if not application.initial_sync_done:
        raise LeaseTableError(
            f"the application {access.table.name} has not begun completely; run a worker first"
        )
    if saved.app != access.table.name:
        say(f"{name} was written of the application {saved.app}")
    rows = lease_rows(every)
    stream = access.stream(application)
    shards = stream.shards()
    forgotten = saved.leases.keys() - rows.keys() - {shard.shard_id for shard in shards}
    leases = _with_places_that_are(saved.leases, shards, stream)
    _tell_kept(plan_import(leases, rows, shards), len(forgotten))

    def plan(now: Mapping[str, LeaseRow]) -> Sequence[Change]:
        return plan_import(leases, now, stream.shards()).changes

    what = f"the checkpoints of {name}"
    return carry_out(access, plan, rows, stream, what=what, fence=fence, dry_run=dry_run)


def _tell_kept(plan: Reset, forgotten: int) -> None:
    from collections import Counter

    from kcl_py.cli.output import say

    for why, count in sorted(Counter(plan.kept.values()).items()):
        say(f"left as it is: {counted(count, 'lease')}, {why}")
    if forgotten:
        told = counted(forgotten, "checkpoint")
        say(f"left out: {told} of the file, of shards that the stream has forgotten")


def _with_places_that_are(
    saved: Mapping[str, Saved], shards: Sequence[Shard], stream: StreamAccess
) -> dict[str, Saved]:
    """Look at each place as a worker will; where there is none its shard begins at its oldest.

    With a place behind all records of its shard a worker would wait for what comes after that.
    """
    from dataclasses import replace

    from kcl_py.cli.output import say
    from kcl_py.core.commands import Start, StartKind
    from kcl_py.core.events import Failure, FailureKind
    from kcl_py.core.leases.rows import Sentinel
    from kcl_py.records import Position

    found = dict(saved)
    for key in [shard.shard_id for shard in shards if shard.shard_id in saved]:
        place = saved[key].checkpoint
        if not isinstance(place, Position):
            continue
        start = Start(kind=StartKind.AFTER, sequence_number=place.sequence_number)
        seen = stream.peeker.peek(key, start)
        if isinstance(seen, Failure) and seen.kind is FailureKind.INVALID:
            say(
                f"{key} has no such place as {place}: it was forgotten, or the file was edited; "
                "it will begin at the oldest record that is left"
            )
            found[key] = replace(saved[key], checkpoint=Sentinel.TRIM_HORIZON, start_at=None)
        elif isinstance(seen, Failure):
            say(f"whether {key} has {place} is not known ({seen.action}: {seen.message})")
    return found


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            text = sys.stdin.read(FILE_BYTES_MAX + 1)
        else:
            # As some editors and shells save it: with a mark at the beginning.
            with file.open(encoding="utf-8-sig") as opened:
                text = opened.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise ConfigError(f"{file} is no JSON: it is not UTF-8; save it as UTF-8") from None
        raise ConfigError(
            f"{file} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigError(f"{file} is longer than {FILE_BYTES_MAX} bytes; these are no checkpoints")
    return text


def _replace(file: Path, text: str) -> None:
    """Replace it as a whole: a full disk leaves what was there.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")  # a device or a pipe, which stays what it is
        else:
            _write_beside(file.resolve(), text)  # what a link names, not the link
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: no path; the last: a circle
        said = getattr(error, "strerror", None) or error
        raise ConfigError(f"{file} cannot be written: {said}; name another file") from None


def _write_beside(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    try:
        with beside.open("x", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
