"""Is the CPU that is used read from whoever knows it, as a part of the limit that holds?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.hosts.cpu import Cpu
from kcl_py.hosts.cpu_figures import (
    Figure,
    Unreadable,
    fraction_between,
    parse_cfs,
    parse_cpu_max,
    parse_cpu_stat,
    parse_cpuacct,
    parse_own_cgroup,
    parse_proc_stat,
)
from kcl_py.hosts.ecs import parse_cpu_limit, parse_cpu_seconds
from kcl_py.hosts.notices import NoAnswer
from tests.hosts.fakes import FakeEcs

CPU_STAT = "usage_usec {usec}\nuser_usec 1\nsystem_usec 2\nnr_periods 0\n"
PROC_STAT = "cpu  {busy} 0 0 1000 50 0 0 0 0 0\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nintr 1\n"
V1_CGROUP = "9:name=systemd:/\n4:cpu,cpuacct:/docker/ab\n3:memory:/x\n0::/\n"


class Machine:
    """A file system with what Linux shows of CPUs, and a clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 100.0
        self.write("proc/self/cgroup", "0::/system.slice/kcl.service\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def cpu(self, **env: str) -> Cpu:
        return Cpu(env, root=self.root, now=lambda: self.now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def test_cgroup_v2_with_the_tightest_limit_above_it(machine: Machine) -> None:
    own = "sys/fs/cgroup/system.slice/kcl.service"
    machine.write(f"{own}/cpu.stat", CPU_STAT.format(usec=1_000_000))
    machine.write(f"{own}/cpu.max", "max 100000\n")
    machine.write("sys/fs/cgroup/system.slice/cpu.max", "50000 100000\n")
    cpu = machine.cpu()
    assert cpu.fraction() is None
    machine.write(f"{own}/cpu.stat", CPU_STAT.format(usec=3_000_000))
    machine.now += 10.0

    assert cpu.fraction() == pytest.approx(2.0 / 10.0 / 0.5)


def test_cgroup_v2_without_a_limit_may_use_all_cores(machine: Machine) -> None:
    own = "sys/fs/cgroup/system.slice/kcl.service"
    machine.write(f"{own}/cpu.stat", CPU_STAT.format(usec=0))
    cpu = machine.cpu()
    cpu.fraction()
    machine.write(f"{own}/cpu.stat", CPU_STAT.format(usec=5_000_000))
    machine.now += 10.0

    assert cpu.fraction() == pytest.approx(0.5 / cores())


@pytest.mark.parametrize("path", ["/docker/0a1b", "/../../kubepods", "/"])
def test_in_a_container_the_folder_that_is_shown_counts(machine: Machine, path: str) -> None:
    machine.write("proc/self/cgroup", f"0::{path}\n")
    machine.write("sys/fs/cgroup/cpu.stat", CPU_STAT.format(usec=0))
    machine.write("sys/fs/cgroup/cpu.max", "25000 100000\n")
    cpu = machine.cpu()
    cpu.fraction()
    machine.write("sys/fs/cgroup/cpu.stat", CPU_STAT.format(usec=1_000_000))
    machine.now += 8.0

    assert cpu.fraction() == pytest.approx(0.5)


@pytest.mark.parametrize(("quota", "limit"), [("150000", 1.5), ("-1", None)])
def test_cgroup_v1(machine: Machine, quota: str, limit: float | None) -> None:
    machine.write("proc/self/cgroup", V1_CGROUP)
    usage = "sys/fs/cgroup/cpuacct/docker/ab/cpuacct.usage"
    machine.write(usage, "0\n")
    machine.write("sys/fs/cgroup/cpu/docker/ab/cpu.cfs_quota_us", f"{quota}\n")
    machine.write("sys/fs/cgroup/cpu/docker/ab/cpu.cfs_period_us", "100000\n")
    cpu = machine.cpu()
    cpu.fraction()
    machine.write(usage, f"{3_000_000_000}\n")
    machine.now += 4.0

    assert cpu.fraction() == pytest.approx(0.75 / min(limit or cores(), cores()))


def test_at_last_the_whole_machine(machine: Machine) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    machine.write("proc/stat", PROC_STAT.format(busy=0))
    cpu = machine.cpu()
    cpu.fraction()
    machine.write("proc/stat", PROC_STAT.format(busy=5 * ticks))
    machine.now += 10.0

    assert cpu.fraction() == pytest.approx(5.0 / 10.0 / 2)


def test_where_nothing_is_shown_nothing_is_known(machine: Machine) -> None:
    cpu = machine.cpu()

    assert [cpu.fraction(), cpu.fraction()] == [None, None]


@pytest.fixture
def ecs() -> Iterator[FakeEcs]:
    service = FakeEcs()
    with service.running():
        yield service


def test_a_task_of_ecs_with_all_its_containers(machine: Machine, ecs: FakeEcs) -> None:
    cpu = machine.cpu(ECS_CONTAINER_METADATA_URI_V4=ecs.address)
    cpu.fraction()
    ecs.stats(2.0)
    machine.now += 4.0

    assert cpu.fraction() == pytest.approx(1.0 / 4.0 / 0.5)


def test_a_container_that_starts_has_no_statistics_yet() -> None:
    used = '{"cpu_stats": {"cpu_usage": {"total_usage": 2500000000}}}'

    assert parse_cpu_seconds(f'{{"a": null, "b": {used}}}') == 2.5
    with pytest.raises(NoAnswer, match="no statistics"):
        parse_cpu_seconds('{"a": null}')


def test_figures_of_two_sources_are_not_compared(machine: Machine, ecs: FakeEcs) -> None:
    machine.write("proc/stat", PROC_STAT.format(busy=100))
    cpu = machine.cpu(ECS_CONTAINER_METADATA_URI_V4=ecs.address)
    cpu.fraction()
    ecs.status = 500
    machine.now += 1.0
    assert cpu.fraction() is None
    machine.now += 1.0
    assert cpu.fraction() == 0.0


def test_a_task_without_a_limit_of_its_own_leaves_it_to_the_cgroup(
    machine: Machine, ecs: FakeEcs
) -> None:
    ecs.task("RUNNING", cpu=None)
    machine.write("proc/stat", PROC_STAT.format(busy=100))
    cpu = machine.cpu(ECS_CONTAINER_METADATA_URI_V4=ecs.address)
    cpu.fraction()
    machine.now += 1.0

    assert cpu.fraction() == 0.0


@pytest.mark.skipif(not Path("/proc/self/cgroup").exists(), reason="not Linux")
def test_this_machine_shows_something() -> None:
    times = iter([0.0, 1e-9])
    cpu = Cpu({}, now=lambda: next(times))
    cpu.fraction()
    sum(range(300_000))

    found = cpu.fraction()
    assert found is not None
    assert found >= 0.0


# ------------------------------------------------------------------------------------ parsers


def test_what_the_files_say() -> None:
    assert parse_cpu_stat(CPU_STAT.format(usec=2_500_000)) == 2.5
    assert parse_cpu_max("50000 100000\n") == 0.5
    assert parse_cpu_max("max 100000\n") is None
    assert parse_cpuacct("1500000000\n") == 1.5
    assert parse_cfs("-1\n", "100000\n") is None
    assert parse_cfs("200000\n", "100000\n") == 2.0
    assert parse_proc_stat(PROC_STAT.format(busy=200), 100) == 2.0
    assert parse_own_cgroup(V1_CGROUP) == "/"
    assert parse_own_cgroup(V1_CGROUP, "cpuacct") == "/docker/ab"
    assert parse_own_cgroup(V1_CGROUP, "blkio") is None
    assert parse_own_cgroup("") is None


PARSERS: list[Callable[[str], object]] = [
    parse_cpu_stat,
    parse_cpu_max,
    parse_cpuacct,
    parse_own_cgroup,
    lambda text: parse_cfs(text, "100000"),
    lambda text: parse_cfs("100000", text),
    lambda text: parse_proc_stat(text, 100),
    parse_cpu_limit,
    parse_cpu_seconds,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text() | st.sampled_from(["{}", "null", '{"a": {}}', "cpu 1 2 3", "0::x", "1 0"]))
def test_any_text_is_a_figure_or_a_reason(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(Unreadable, NoAnswer):
        parse(text)


@given(
    used=st.floats(0.0, 1e6),
    more=st.floats(0.0, 1e3),
    seconds=st.floats(0.001, 1e3),
    limit=st.floats(0.01, 512.0),
)
def test_a_fraction_is_what_was_used_of_what_was_allowed(
    used: float, more: float, seconds: float, limit: float
) -> None:
    found = fraction_between(Figure(used, limit), Figure(used + more, limit), seconds)

    assert found is not None
    assert found == pytest.approx((used + more - used) / seconds / limit)


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        (Figure(2.0, 1.0), Figure(1.0, 1.0), 1.0),  # a restored machine
        (Figure(1.0, 1.0), Figure(2.0, 1.0), 0.0),
        (Figure(1.0, 1.0), Figure(2.0, 0.0), 1.0),
    ],
)
def test_what_cannot_be_compared_is_nothing(before: Figure, after: Figure, seconds: float) -> None:
    assert fraction_between(before, after, seconds) is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "-5"])
def test_a_number_that_is_none_is_no_figure(number: str) -> None:
    used = f'{{"cpu_stats": {{"cpu_usage": {{"total_usage": {number}}}}}}}'
    with pytest.raises(NoAnswer):
        parse_cpu_seconds(f'{{"a": {used}}}')

    limit = None
    with contextlib.suppress(NoAnswer):
        limit = parse_cpu_limit(f'{{"Limits": {{"CPU": {number}}}}}')
    assert limit is None
