"""How is the image built and run where no Docker engine is? By buildah, as root, in namespaces.

The base image stands in for that of Docker Hub: the same distribution with its own Python, made by
`.ci/deploy install`. So this shows the structure of ours, not the base.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.deploy.files import DEPLOY, ROOT

BASE: Final = "docker.io/library/python:3.13-slim-bookworm"
BASE_FILE: Final = "KCL_TEST_BASE_IMAGE"
CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"
BUILD_SECONDS_MAX: Final = 600
RUN_SECONDS_MAX: Final = 60

_STAND_IN: Final = f"""\
FROM scratch
ADD base.tar /
COPY certificates {CERTIFICATES}
ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}
"""
"""With the certificates of this machine, whose way to a package index may need them."""

_ENTER: Final = """\
set -eu
mount --bind "$ROOTFS" "$ROOTFS"
mount --rbind /dev "$ROOTFS/dev"
mount -t proc proc "$ROOTFS/proc"
mount -t tmpfs tmpfs "$ROOTFS/tmp"
mount -o remount,bind,ro "$ROOTFS"
exec chroot --userspec="$RUN_AS" "$ROOTFS" /usr/bin/env -i -C "$WORKDIR" "$@"
"""


def why_not() -> str | None:
    """What is missing to build and run images; None: nothing."""
    missing = [
        name for name in ("buildah", "unshare", "nsenter", "chroot") if not shutil.which(name)
    ]
    if missing:
        return f"{', '.join(missing)} not installed; .ci/deploy install has them from Debian"
    if os.geteuid() != 0:
        return "needs root"
    if not Path(os.environ.get(BASE_FILE, "")).is_file():
        return f"{BASE_FILE} names no base image; .ci/deploy install makes one"
    return None


@dataclass
class Buildah:
    """Images and containers in a folder of their own."""

    folder: Path
    containers: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str) -> str:
        command = [
            *("buildah", "--root", str(self.folder / "root")),
            *("--runroot", str(self.folder / "run"), *arguments),
        ]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
            env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def build(self, file: Path, context: Path, tag: str, *more: str) -> None:
        self(
            "bud",
            "--pull-never",
            "--format",
            "docker",
            *more,
            "-t",
            tag,
            "-f",
            str(file),
            str(context),
        )

    def make_base(self) -> None:
        """Make what stands in for the base image."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            context = Path(name)
            (context / "Containerfile").write_text(_STAND_IN, encoding="utf-8")
            os.link(os.environ[BASE_FILE], context / "base.tar")
            shutil.copy(CERTIFICATES, context / "certificates")
            self.build(context / "Containerfile", context, BASE)

    def make(self, target: str, extras: str = "cli") -> Image:
        """Build ours."""
        ignored = ("--ignorefile", str(DEPLOY / "Dockerfile.dockerignore"))
        self.build(
            DEPLOY / "Dockerfile",
            ROOT,
            f"localhost/{target}",
            "--layers",
            "--target",
            target,
            "--build-arg",
            f"EXTRAS={extras}",
            *ignored,
        )
        return self.open(f"localhost/{target}")

    def open(self, name: str) -> Image:
        """Look at an image that was built."""
        told = json.loads(self("inspect", "--type", "image", name))
        self.containers.append(self("from", "--pull-never", name))
        return Image(told["Docker"]["config"], Path(self("mount", self.containers[-1])))

    def close(self) -> None:
        """Take everything away again."""
        for container in self.containers:
            self("rm", container)
        self("rmi", "--all", "--force")


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        config: As the image has it.
        rootfs: Where its files are mounted.
    """

    config: Mapping[str, Any]
    rootfs: Path

    @property
    def health_check(self) -> list[str]:
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return list(command)

    def start(
        self,
        command: Sequence[str] | None = None,
        *,
        entrypoint: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Container:
        """Run it as an engine would: its user, its environment, a read-only root, and as PID 1."""
        start = self.config["Entrypoint"] if entrypoint is None else entrypoint
        whole = [*start, *(self.config["Cmd"] if command is None else command)]
        names = [f"{name}={value}" for name, value in (environment or {}).items()]
        process = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
                *("sh", "-c", _ENTER, "enter", *self.config["Env"], *names, *whole),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "ROOTFS": str(self.rootfs),
                "RUN_AS": self.config["User"],
                "WORKDIR": self.config["WorkingDir"],
            },
        )
        return Container(self, process)


@dataclass
class Container:
    """An image that runs."""

    image: Image
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:
            assert self.process.stdout is not None
            stack.enter_context(self.process.stdout)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    @property
    def pid(self) -> int:
        """Of the program, as seen from outside."""
        of = self.process.pid
        children = Path(f"/proc/{of}/task/{of}/children").read_text(encoding="ascii").split()
        assert len(children) == 1, self.lines
        return int(children[0])

    def wait_for(self, words: str) -> str:
        """Read what it says until these words come."""
        assert self.process.stdout is not None
        with self._patience():
            for line in self.process.stdout:
                self.lines.append(line)
                if words in line:
                    return line
        raise AssertionError(f"ended without {words!r}:\n" + "".join(self.lines))

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Read to the end, then the exit code."""
        assert self.process.stdout is not None
        with self._patience():
            self.lines += self.process.stdout.readlines()
            return self.process.wait()

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Kill it when it takes too long, so that no test waits for ever."""
        timer = threading.Timer(RUN_SECONDS_MAX, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def also(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command beside the program, as a health check is."""
        config = self.image.config
        return subprocess.run(
            [
                *("nsenter", "--target", str(self.pid), "--mount", "--pid"),
                *("chroot", f"--userspec={config['User']}", str(self.image.rootfs)),
                *("/usr/bin/env", "-i", "-C", config["WorkingDir"], *config["Env"], *command),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
