"""Where do the others come from? From PyPI, pinned, each into an environment of its own.

Nothing of theirs is in this repository or in our environment. An environment is made once and
kept; a peer that cannot be had is skipped by name, with the reason.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.figures import Report
from tests.bench.session import Session

INSTALL_SECONDS_MAX: Final = 300.0
PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check")
PATIENCE: Final = ("--retries", "1", "--timeout", "20")
"""Of pip: without a network the answer is wanted soon. Timeout in seconds."""

COMPLETE: Final = "complete"
"""File of an environment that is; holds what it was made of."""

Run = Callable[[Sequence[str], float], str]
"""Runs a command for at most so many seconds, and returns what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What is installed for one contender.

    Attributes:
        wheels: Requirements that are installed, without building anything.
        source: A requirement whose package folder alone is taken, out of its source archive.
    """

    name: str
    wheels: tuple[str, ...] = ()
    source: str | None = None


PEERS: Final = (
    # Installing it would fetch the Java daemon with Maven; its Python half needs none of that.
    Peer(name="kclpy", source="amazon_kclpy==3.2.0"),
    # aiobotocore takes few versions of botocore: without pins pip looks for them for minutes.
    Peer(
        name="async-kinesis",
        wheels=("async-kinesis==3.0.1", "aiobotocore==3.10.0", "botocore==1.43.117"),
    ),
    Peer(name="orjson", wheels=("orjson==3.13.0", "pybase64==1.5.1")),
)

PEER_NAMES: Final = frozenset(peer.name for peer in PEERS)


class PeerMissingError(Exception):
    """A peer cannot be had; with the reason."""


def pythons(session: Session, report: Report) -> dict[str, Path]:
    """Return the Python of every peer that can be had; the report names the others."""
    found = {}
    for peer in PEERS:
        session.say(f"environment of {peer.name}")
        try:
            found[peer.name] = python_of(peer, session.peers)
        except PeerMissingError as error:
            report.skipped.append(f"{peer.name}: {error}")
            session.say(f"skipped {peer.name}: {error}")
    return found


def run(command: Sequence[str], seconds_max: float) -> str:
    """Run it."""
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=seconds_max)
    return done.stdout


def python_of(peer: Peer, folder: Path, run: Run = run) -> Path:
    """Return the Python that has this peer; its environment is made if there is none yet.

    Raises:
        PeerMissingError: It cannot be had.
    """
    home = folder / peer.name
    python = home / "bin" / "python"
    made_of = "\n".join([sys.version, *peer.wheels, peer.source or ""])
    mark = home / COMPLETE
    if mark.is_file() and mark.read_text() == made_of:
        return python
    shutil.rmtree(home, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", str(home)], INSTALL_SECONDS_MAX)
        if peer.wheels:
            _install(peer.wheels, python, run)
        if peer.source is not None:
            _unpack(peer.source, python, home / "source", run)
        mark.write_text(made_of)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        raise PeerMissingError(said[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise PeerMissingError(f"not installed after {error.timeout:.0f} s") from error
    except (OSError, tarfile.TarError) as error:
        raise PeerMissingError(str(error)) from error
    return python


def _install(wheels: Sequence[str], python: Path, run: Run) -> None:
    command = [str(python), *PIP, "install", *PATIENCE, "--only-binary", ":all:", *wheels]
    run(command, INSTALL_SECONDS_MAX)


def _unpack(source: str, python: Path, folder: Path, run: Run) -> None:
    """Put the package folder of a source archive among the packages of an environment."""
    name = source.partition("==")[0]
    command = [str(python), *PIP, "download", *PATIENCE, "--no-deps", "--no-binary", name]
    run([*command, "--dest", str(folder), source], INSTALL_SECONDS_MAX)
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run([str(python), "-c", show], INSTALL_SECONDS_MAX).strip())
    (path,) = folder.iterdir()
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            _, _, inner = member.name.partition("/")
            if inner.startswith(f"{name}/"):
                archive.extract(member.replace(name=inner), packages, filter="data")
