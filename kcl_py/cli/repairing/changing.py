"""What do commands that change an application have in common? Names, and who is alive."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.admin.editing import Editor
    from kcl_py.cli.looking.access import Access
    from kcl_py.core.leases.rows import LeaseRow

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")
]

NAMED_MAX: Final = 5


def new_editor(access: Access) -> Editor:
    """What changes rows of this application's table."""
    from kcl_py.admin.editing import Editor

    return Editor(
        access.table,
        new_nonce=lambda: f"kcl-repair#{secrets.token_hex(8)}",
        sleep=time.sleep,
    )


def find_row(shard: str, rows: Mapping[str, LeaseRow], app: str) -> LeaseRow:
    """The lease of a shard.

    Raises:
        ConfigError: There is none; near ones are named.
    """
    import difflib

    if shard in rows:
        return rows[shard]
    near = difflib.get_close_matches(shard, list(rows), n=3, cutoff=0.8)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        some = ", ".join(sorted(rows)[:NAMED_MAX])
        hint = f"there are {some}" if len(rows) <= NAMED_MAX else f"there are {some}, ..."
    raise ConfigError(f"the application {app} has no lease of {shard}; {hint}")


def names_of(workers: Iterable[str]) -> str:
    """The first of many names."""
    every = list(workers)
    more = len(every) - NAMED_MAX
    return ", ".join(every[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
