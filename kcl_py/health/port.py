"""Where does the health server listen, and what is to be done where it cannot?"""

from __future__ import annotations

import errno
import socket
from typing import Final

from kcl_py.errors import ConfigError

BACKLOG: Final = 32
"""Connections that wait for the server; as many as it serves at once."""


class PortTaken(ConfigError):
    """Somebody else listens at `health.port`: it may be free in a moment, as after a restart."""

    exit_code = 5  # as what took too long, so that a supervisor starts it again, later


def listen(host: str, port: int) -> socket.socket:
    """Listen there.

    Raises:
        PortTaken: Somebody else does.
        ConfigError: It is not possible there.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.settimeout(0)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        raise _refusal(host, port, error) from None
    return listener


def _refusal(host: str, port: int, error: Exception) -> ConfigError:
    said = getattr(error, "strerror", None) or error
    found = f"health.port = {port} on {host} cannot be listened on ({said}); "
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            way_out = f"`ss -ltnp 'sport = :{port}'` shows who has it: end that, or choose another"
            return PortTaken(f"{found}{way_out} port")
        case errno.EACCES:
            return ConfigError(f"{found}choose a port from 1024 on")
        case _:
            return ConfigError(
                f"{found}set health.host to an address of this machine, as 127.0.0.1"
            )
