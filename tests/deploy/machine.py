"""How does a test run a Debian with a systemd or a Docker of its own, beside this one?

A file system from an archive of `.ci/deploy install`, entered as root in namespaces of its own:
processes, mounts, control groups, and a network with nothing but loopback. All of it ends with the
test: the first process takes every other one along.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.files import ran
from tests.deploy.image import CERTIFICATES

COMMAND_SECONDS_MAX: Final = 300.0
END_SECONDS_MAX: Final = 30.0
LOOKS_MAX: Final = 300
LOOK_SECONDS: Final = 0.2
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    # The way from here to a package index may need the certificates of this machine.
    "SSL_CERT_FILE": CERTIFICATES,
    "PIP_CERT": CERTIFICATES,
}
POWER_OFF: Final = signal.SIGRTMIN + 4
"""To a systemd that is process 1, as in systemd(1)."""

_CGROUP_PLACES: Final = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_KINDS: Final = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")

_JOIN: Final = """\
set -eu
echo $$ >"$GROUP/first/cgroup.procs"
exec unshare --fork --kill-child "$@"
"""

_ENTER: Final = """\
set -eu
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p old
pivot_root . old
umount -l old
rmdir old
exec "$@"
"""
"""Of /proc/sys only what is of its network may be written: the rest is that of this machine."""


def cgroups() -> Path | None:
    """Where control groups of version 2 are, if they are anywhere."""
    for place in map(Path, _CGROUP_PLACES):
        if (place / "cgroup.controllers").is_file():
            return place
    return None


def why_not(variable: str) -> str | None:
    """What is missing to run a machine from the archive that this variable names; None: nothing."""
    missing = [name for name in ("unshare", "nsenter", "tar") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} not installed"
    if os.geteuid() != 0:
        return "needs root"
    if not Path(os.environ.get(variable, "")).is_file():
        return f"{variable} names no file system; .ci/deploy install makes one"
    if cgroups() is None:
        return "needs control groups of version 2"
    tried = ran(["unshare", *_KINDS, "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
    return None if tried.returncode == 0 else f"no namespaces here: {tried.stderr.strip()}"


def unpack(variable: str, root: Path) -> None:
    """Put a file system there, with the certificates of this machine."""
    root.mkdir()
    subprocess.run(["tar", "-xf", os.environ[variable], "-C", str(root)], check=True)
    target = root / CERTIFICATES.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(CERTIFICATES, target)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")


@dataclass
class Machine:
    """One that runs.

    Attributes:
        root: Its file system, as seen from here.
        pid: Of its first process, as seen from here.
    """

    root: Path
    pid: int

    def run(
        self, *command: str, said: str | None = None, network: bool = False, check: bool = True
    ) -> str:
        """Run a command there as root, and return what it wrote to stdout.

        Args:
            said: Its standard input.
            network: It sees the network of this machine in place of its own, as to a package index.
            check: Anything but 0 is a failure of the test.
        """
        kinds = [kind for kind in _KINDS if not (network and kind == "--net")]
        names = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        done = subprocess.run(
            [
                *("nsenter", "--target", str(self.pid), *kinds),
                *("/usr/bin/env", "-i", "-C", "/root", *names, *command),
            ],
            check=False,
            capture_output=True,
            text=True,
            input=said or "",
            timeout=COMMAND_SECONDS_MAX,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def shell(self, script: str, *, network: bool = False) -> str:
        """Type this into a shell that ends with the first line that fails."""
        return self.run("bash", "-e", "-s", said=script, network=network)


@contextmanager
def machine(
    root: Path, first: Sequence[str], log: Path, end: signal.Signals | int
) -> Iterator[Machine]:
    """Start the first process there, and end it by this signal."""
    place = cgroups()
    assert place is not None
    group = place / f"kcl-test-{os.getpid()}-{log.stem}"
    (group / "first").mkdir(parents=True)
    names = [f"{name}={value}" for name, value in {**ENVIRONMENT, "container": "kcl-test"}.items()]
    enter = ["sh", "-c", _ENTER, "enter", "/usr/bin/env", "-i", *names, *first]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-c", _JOIN, "join", *_KINDS, *enter],
                env={"PATH": os.environ["PATH"], "ROOT": str(root), "GROUP": str(group)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until(lambda: _child_of(process.pid) is not None, "its first process is there")
            pid = _child_of(process.pid)
            assert pid is not None
            yield Machine(root, pid)
        finally:
            _end(process, end)
    finally:
        _remove(group)


def _child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else None


def _end(process: subprocess.Popen[bytes], end: signal.Signals | int) -> None:
    child = _child_of(process.pid)
    if child is not None:
        os.kill(child, end)
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()  # and with it, by --kill-child, the first process and all others
        process.wait()


def _remove(group: Path) -> None:
    """Remove a control group and those in it; what has just ended may hold it for a moment."""

    def gone() -> bool:
        folders = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
        for folder in [*folders, group]:
            with suppress(OSError):
                folder.rmdir()
        return not group.exists()

    wait_until(gone, f"{group} is empty")


def wait_until(look: Callable[[], bool], what: str, more: Callable[[], str] = str) -> None:
    """Look until this is true; for a minute at most, and then tell more."""
    patience = threading.Event()
    for _ in range(LOOKS_MAX):
        if look():
            return
        patience.wait(LOOK_SECONDS)
    raise AssertionError(f"in vain: {what}\n{more()}")
