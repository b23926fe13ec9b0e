"""How are CPU seconds and limits read from what Linux shows? Parsing only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class Unreadable(ValueError):
    """A file of the kernel says something else."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was used so far, and what may be.

    Attributes:
        used: CPU seconds since any beginning.
        cores: Most CPU seconds per second.
    """

    used: float
    cores: float


def fraction_between(before: Figure, after: Figure, seconds: float) -> float | None:
    """Part of the limit that was used, 0 and above; None: the two cannot be compared.

    Args:
        before: The earlier figure, of the same source.
        after: The later one.
        seconds: Between the two.
    """
    if seconds <= 0 or after.cores <= 0 or after.used < before.used:
        return None
    return (after.used - before.used) / seconds / after.cores


def parse_cpu_stat(text: str) -> float:
    """CPU seconds, from cpu.stat of cgroup v2."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "usage_usec":
            return _count(value) / 1e6
    raise Unreadable("cpu.stat has no usage_usec")


def parse_cpu_max(text: str) -> float | None:
    """Cores, from cpu.max of cgroup v2, as `50000 100000`; None: no limit."""
    quota, _, period = text.strip().partition(" ")
    if quota == "max":
        return None
    return _cores(_count(quota), _count(period or "100000"))


def parse_cpuacct(text: str) -> float:
    """CPU seconds, from cpuacct.usage of cgroup v1, which are nanoseconds."""
    return _count(text) / 1e9


def parse_cfs(quota: str, period: str) -> float | None:
    """Cores, from cpu.cfs_quota_us and cpu.cfs_period_us of cgroup v1; None: no limit."""
    if quota.strip().startswith("-"):
        return None
    return _cores(_count(quota), _count(period))


def parse_proc_stat(text: str, ticks: int) -> float:
    """CPU seconds of the whole machine that were not idle, from /proc/stat.

    Args:
        text: Its text.
        ticks: Per second, as sysconf(SC_CLK_TCK) says.
    """
    first = text.partition("\n")[0].split()
    # user nice system idle iowait irq softirq steal; guest time is in user. Source: proc(5).
    if len(first) < 5 or first[0] != "cpu" or ticks <= 0:  # noqa: PLR2004 - up to idle
        raise Unreadable("the first line of /proc/stat is not that of all CPUs")
    counts = [_count(value) for value in first[1:9]]
    return (sum(counts) - sum(counts[3:5])) / ticks


def parse_own_cgroup(text: str, controller: str = "") -> str | None:
    """The path of this process, from /proc/self/cgroup; None: it is in none of these.

    Args:
        text: Its text.
        controller: Of cgroup v1; empty: the one hierarchy of v2.
    """
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        is_it = controller in names.split(",") if controller else number == "0" and not names
        if is_it and path.startswith("/"):
            return path
    return None


def smallest(limits: Iterable[float | None], cores: float) -> float:
    """The limit that counts; with none, all cores."""
    return min([cores, *(limit for limit in limits if limit is not None)])


def _cores(quota: int, period: int) -> float | None:
    if period <= 0:
        raise Unreadable("a period of no microseconds")
    return quota / period if quota > 0 else None


def _count(text: str) -> int:
    text = text.strip()
    if not text.isascii() or not text.isdigit():
        raise Unreadable(f"{text[:40]!r} is no count")
    return int(text)
