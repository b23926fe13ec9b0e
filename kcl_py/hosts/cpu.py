"""How much of the CPU that it may use does this worker use? Asked of whoever knows best here.

The statistics of the ECS task, then cgroup v2, cgroup v1, and at last the whole machine: the first
that can be read counts.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kcl_py._environment import process_environment
from kcl_py.hosts.cpu_figures import (
    Figure,
    fraction_between,
    parse_cfs,
    parse_cpu_max,
    parse_cpu_stat,
    parse_cpuacct,
    parse_own_cgroup,
    parse_proc_stat,
    smallest,
)
from kcl_py.hosts.ecs import Ecs, parse_cpu_limit, parse_cpu_seconds
from kcl_py.hosts.notices import NoAnswer
from kcl_py.hosts.places import ECS_VARIABLE

_ROOT: Final = Path("/")
_PARENTS_MAX: Final = 32


class Cpu:
    """Measures between two calls of `fraction`. Thread-safe.

    Args:
        env: None: the environment of this process.
        root: Of the file system.
        now: Seconds on a clock that never jumps.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        *,
        root: Path = _ROOT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        found = process_environment() if env is None else env
        self._now = now
        self._cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
        files = _Files(root, self._cores)
        self._sources: Sequence[Callable[[], Figure]] = [files.v2, files.v1, files.machine]
        if found.get(ECS_VARIABLE):
            ecs = Ecs(found[ECS_VARIABLE])
            self._sources = [lambda: self._of_task(ecs), *self._sources]
        self._last: tuple[float, int, Figure] | None = None
        self._lock = threading.Lock()

    def fraction(self) -> float | None:
        """Part of the limit that was used since the last call; None: not known, as at the first.

        Slightly above 1 where a limit is enforced in slices. On ECS it asks, for 2 seconds at most.
        """
        with self._lock:
            found = self._read()
            last, self._last = self._last, found
        if last is None or found is None or last[1] != found[1]:
            return None  # figures of two sources cannot be compared
        return fraction_between(last[2], found[2], found[0] - last[0])

    def _read(self) -> tuple[float, int, Figure] | None:
        """When, by which source, and what it says."""
        for number, source in enumerate(self._sources):
            try:
                figure = source()
            except (OSError, ValueError, NoAnswer):
                continue  # the next one knows less well
            return self._now(), number, figure
        return None

    def _of_task(self, ecs: Ecs) -> Figure:
        limit = parse_cpu_limit(ecs.get("/task"))
        if limit is None:
            raise NoAnswer("the task has no limit of its own; its container may have one")
        return Figure(parse_cpu_seconds(ecs.get("/task/stats")), limit)


class _Files:
    """What the kernel shows. Each method raises OSError or ValueError where it does not."""

    def __init__(self, root: Path, cores: float) -> None:
        self._root = root
        self._cores = cores

    def v2(self) -> Figure:
        """Of the cgroup of this process, with the limits above it."""
        folders = self._folders("sys/fs/cgroup", "")
        used = parse_cpu_stat((folders[0] / "cpu.stat").read_text())
        limits = [parse_cpu_max(text) for text in _texts(folders, "cpu.max")]
        return Figure(used, smallest(limits, self._cores))

    def v1(self) -> Figure:
        """As v2, of the hierarchies `cpuacct` and `cpu`."""
        usage = self._folders("sys/fs/cgroup/cpuacct", "cpuacct")[0] / "cpuacct.usage"
        used = parse_cpuacct(usage.read_text())
        limits = [
            parse_cfs((folder / "cpu.cfs_quota_us").read_text(), period)
            for folder in self._folders("sys/fs/cgroup/cpu", "cpu")
            for period in _texts([folder], "cpu.cfs_period_us")
        ]
        return Figure(used, smallest(limits, self._cores))

    def machine(self) -> Figure:
        """All processes of the machine."""
        text = (self._root / "proc/stat").read_text()
        cores = sum(line.startswith("cpu") for line in text.splitlines()) - 1
        return Figure(parse_proc_stat(text, os.sysconf("SC_CLK_TCK")), float(max(cores, 1)))

    def _folders(self, base: str, controller: str) -> list[Path]:
        """The folder of this process, and those above it.

        In a container the path may be that of the host, while the folder shown is the container's.
        """
        text = (self._root / "proc/self/cgroup").read_text()
        path = parse_own_cgroup(text, controller)
        if path is None:
            raise FileNotFoundError(f"this process is in no cgroup {controller or 'v2'}")
        top = self._root / base
        own = top / path.lstrip("/")
        if ".." in own.parts or not own.is_dir():
            return [top]
        between = [own, *own.parents][:_PARENTS_MAX]
        return between[: between.index(top) + 1] if top in between else [own]


def _texts(folders: Sequence[Path], name: str) -> list[str]:
    """The texts of the files that there are; the root of the hierarchy has no limits."""
    return [(folder / name).read_text() for folder in folders if (folder / name).is_file()]
