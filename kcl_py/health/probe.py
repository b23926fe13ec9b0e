"""Is the worker in this container alive? `kcl health`: exit code 0 or 1, and one line: why.

Standard library only, and little of that: it runs every few seconds.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from kcl_py.health.beat import read_beat, steady

ALIVE: Final = 0
NOT_ALIVE: Final = 1
"""Source: Docker's HEALTHCHECK knows 0 and 1 only; 2 is reserved."""
INTERRUPTED: Final = 130
"""For people: no supervisor presses Ctrl-C."""

ASK_SECONDS: Final = 3.0
ANSWER_BYTES_MAX: Final = 4096

USAGE: Final = """\
Usage: kcl health [--file PATH | --port N] [--ready]

Say whether the worker of this machine or container is alive: exit code 0 or 1, and why.
It reads the heartbeat file (KCL_HEALTH_FILE, the same variable as the worker's), or asks
http://127.0.0.1:PORT/livez (KCL_HEALTH_PORT) if there is no file. --ready: is it ready, not only
alive?
"""


def understands(arguments: Sequence[str]) -> bool:
    """Say whether these flags are known here; the command line knows more."""
    return _parse(arguments)[1] is None


def main(
    arguments: Sequence[str],
    environment: Mapping[str, str] | None = None,
    say: Callable[[str], object] | None = None,
) -> int:
    """Run the command; return its exit code."""
    env = os.environ if environment is None else environment
    say = _say if say is None else say
    if "--help" in arguments or "-h" in arguments:
        say(USAGE)
        return ALIVE
    given, problem = _parse(arguments)
    if problem is not None:
        say(f"{problem} (see kcl health --help)\n")
        return NOT_ALIVE
    try:
        is_well, why = check(
            file=given.get("--file") or env.get("KCL_HEALTH_FILE"),
            port=given.get("--port") or env.get("KCL_HEALTH_PORT"),
            host=env.get("KCL_HEALTH_HOST"),
            wants_ready="--ready" in given,
        )
    except KeyboardInterrupt:
        say("interrupted before there was an answer\n")
        return INTERRUPTED
    say(f"{why}\n")
    return ALIVE if is_well else NOT_ALIVE


def check(
    *, file: str | None, port: str | None, host: str | None = None, wants_ready: bool = False
) -> tuple[bool, str]:
    """Look at the file if one is named, else ask at the port; say how it is, and why."""
    if file and file.lower() != "none":
        return read_files(file, steady(), wants_ready=wants_ready)
    if port and port.lower() != "none":
        if not port.isascii() or not port.isdecimal() or not 0 < int(port) <= 65535:  # noqa: PLR2004 - ports
            return False, f"{port} is no port"
        return ask(_address(host), int(port), "/readyz" if wants_ready else "/livez")
    return False, "not known where to look; set KCL_HEALTH_FILE or KCL_HEALTH_PORT"


def read_files(path: str, now: float, *, wants_ready: bool) -> tuple[bool, str]:
    """Judge a heartbeat file; or all of `PATH.1`, `PATH.2`, as `kcl run --processes` has them."""
    directory, name = os.path.split(path)
    try:
        beside = os.listdir(directory or ".")  # noqa: PTH208 - pathlib costs 10 ms
    except OSError:
        beside = []
    numbers = [each.rpartition(".")[2] for each in beside if each.rpartition(".")[0] == name]
    several = sorted((number for number in numbers if number.isdecimal()), key=int)
    if name in beside or not several:
        return read_file(path, now, wants_ready=wants_ready)
    found = [(n, *read_file(f"{path}.{n}", now, wants_ready=wants_ready)) for n in several]
    bad = [(n, why) for n, is_well, why in found if not is_well]
    if bad:
        return False, f"process {bad[0][0]} of {len(found)}: {bad[0][1]}"
    return True, f"{len(found)} processes: {'; '.join(why for _, _, why in found)}"


def read_file(path: str, now: float, *, wants_ready: bool) -> tuple[bool, str]:
    """Judge a heartbeat file."""
    try:
        beat = read_beat(path)
    except FileNotFoundError:
        return False, f"there is no {path}: no worker runs, or its health.file is another one"
    except OSError as error:
        return False, f"{path} cannot be read: {error.strerror}"
    except ValueError:
        return False, f"{path} is no heartbeat of a worker"
    age = now - float(str(beat["at"]))
    if not 0 <= age <= float(str(beat["good_for"])):
        when = f"{age:.0f} s old" if age > 0 else "of an earlier boot"
        return False, f"the heartbeat in {path} is {when}"
    return beat.get("ready" if wants_ready else "alive") is True, str(beat.get("why"))


def ask(host: str, port: int, path: str) -> tuple[bool, str]:
    """Ask over HTTP; without http.client, which costs more to import than all the rest."""
    try:
        with socket.create_connection((host, port), ASK_SECONDS) as sock:
            sock.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = b""
            until = steady() + ASK_SECONDS
            while len(answer) < ANSWER_BYTES_MAX and (left := until - steady()) > 0:
                sock.settimeout(left)
                got = sock.recv(ANSWER_BYTES_MAX)
                if not got:
                    break
                answer += got
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        return False, f"nobody answers at {host}:{port}: {said}"
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):  # noqa: PLR2004 - version and code
        return False, f"what answers at {host}:{port} is no worker"
    why = body.decode("utf-8", "replace").partition("\n")[0] or f"{host}:{port} says nothing"
    return words[1] == b"200", why


def _say(text: str) -> None:
    """Write at once: where nobody reads, or a disk is full, the exit code still says it."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode("utf-8", "replace"))


def _address(host: str | None) -> str:
    """Where a server that listens on this address is found from here."""
    return "127.0.0.1" if host in (None, "", "0.0.0.0") else "::1" if host == "::" else str(host)  # noqa: S104 - nothing is bound


def _parse(arguments: Sequence[str]) -> tuple[dict[str, str], str | None]:
    """Return the flags that were given, and what is wrong with them."""
    given: dict[str, str] = {}
    left = list(arguments)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag == "--ready" and not equals:
            given[flag] = "yes"
        elif flag in ("--file", "--port"):
            if not equals and left:
                value = left.pop(0)
            if not value:
                return given, f"{flag} needs a value"
            given[flag] = value
        else:
            return given, f"there is no option {flag}"
    return given, None
