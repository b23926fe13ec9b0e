"""Who is this worker, in the lease table and in the log?"""

from __future__ import annotations

import os
import re
import secrets
import socket
from typing import Final

from kcl_py._config_checks import check_part
from kcl_py.config import WorkerConfig
from kcl_py.errors import ConfigError

_APP_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_TABLE_NAME_LENGTH_MIN: Final = 3  # Source: CreateTable, TableName.
_NAME_LENGTH_MAX: Final = 64
_RANDOM_BYTES: Final = 6


def new_worker_id(name: str | None) -> str:
    """Return `<name or host>-<pid>-<random>`: never the same twice, also where host and pid are.

    Args:
        name: Readable prefix, checked by the configuration; None: the host's name.
    """
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", name or socket.gethostname())[:_NAME_LENGTH_MAX]
    return f"{host or 'worker'}-{os.getpid()}-{secrets.token_hex(_RANDOM_BYTES)}"


def check_app(app_name: str, config: WorkerConfig) -> None:
    """Refuse a name that no lease table can have, unless the table has a name of its own.

    Raises:
        ConfigError: It is one, or the configuration is something else.
    """
    check_part("config", config, WorkerConfig)
    low = 1 if config.table.name is not None else _TABLE_NAME_LENGTH_MIN
    given: object = app_name  # from programs without a type checker, too
    if not isinstance(given, str) or not _APP_NAME.fullmatch(given) or len(given) < low:
        raise ConfigError(
            f"app_name = {str(given)[:_NAME_LENGTH_MAX]!r} cannot name a lease table; use {low} "
            "to 255 letters, digits, '_', '-' and '.'"
        )
