"""`kcl checkpoint export|import`: keep checkpoints in a file, and put them back."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.cli.options import Shared
from kcl_py.cli.repairing.changing import DryRun
from kcl_py.cli.repairing.checkpoint_reset import Fence, carry_out
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kcl_py.admin.resetting import Change, Reset
    from kcl_py.core.leases.rows import LeaseRow

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
    from kcl_py.cli.output import counted, say

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

    name = str(file)
    saved = read_document(name, _read(file))
    access = open_access(shared)
    every = access.rows()
    application = access.application(every)
    check_same_stream(name, saved, application)
    rows = lease_rows(every)
    stream = access.stream(application)
    shards = stream.shards()
    forgotten = saved.leases.keys() - rows.keys() - {shard.shard_id for shard in shards}
    _tell_kept(plan_import(saved.leases, rows, shards), len(forgotten))

    def plan(now: Mapping[str, LeaseRow]) -> Sequence[Change]:
        return plan_import(saved.leases, now, stream.shards()).changes

    what = f"the checkpoints of {name}"
    return carry_out(access, plan, rows, stream, what=what, fence=fence, dry_run=dry_run)


def _tell_kept(plan: Reset, forgotten: int) -> None:
    from collections import Counter

    from kcl_py.cli.output import counted, say

    for why, count in sorted(Counter(plan.kept.values()).items()):
        say(f"left as it is: {counted(count, 'lease')}, {why}")
    if forgotten:
        told = counted(forgotten, "checkpoint")
        say(f"left out: {told} of the file, of shards that the stream has forgotten")


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            return sys.stdin.read(FILE_BYTES_MAX)
        with file.open(encoding="utf-8") as opened:
            return opened.read(FILE_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no JSON: it is not UTF-8") from None


def _replace(file: Path, text: str) -> None:
    """Write beside it first: a full disk leaves what was there."""
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}") from None
