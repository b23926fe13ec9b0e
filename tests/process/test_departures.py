"""Does a worker that its machine is about to lose leave in time, whoever says so and however?

Through `kcl run` against the embedded engine, with another worker that takes over. Exit code 0 says
that all of it was inside `stop_grace`: it is 5 otherwise. Under `-m process`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kcl_py.cli.demo.fleet import Child, WorkerProcess, wait_until
from kcl_py.cli.demo.world import World
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.testing.audit.auditor import Fault, read_audit_logs
from tests.hosts.fakes import (
    GROUP,
    INSTANCE_ID,
    REBALANCE,
    SPOT,
    TASK_ID,
    FakeAutoScaling,
    FakeEcs,
    FakeImds,
    Systemd,
)
from tests.process.fleets import FAST, PROCESSOR, finish, fleet

pytestmark = pytest.mark.process

PATIENCE = 90.0
"""Seconds; a bound that only a fault of ours reaches."""

NAMELESS = {**FAST, "worker_name": "none"}
HOOK = "people-leave"


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    service = FakeImds()
    with service.running():
        yield service


@pytest.fixture
def ecs() -> Iterator[FakeEcs]:
    service = FakeEcs()
    with service.running():
        yield service


@pytest.fixture
def scaling() -> Iterator[FakeAutoScaling]:
    service = FakeAutoScaling()
    with service.running():
        yield service


def on_ec2(imds: FakeImds) -> dict[str, str]:
    return {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url,
    }


@contextmanager
def two_workers(directory: Path, environment: Mapping[str, str]) -> Iterator[World]:
    """One that runs anywhere, and one that has this environment; both have their share."""
    with fleet(directory, "stays", settings=NAMELESS) as world:
        world.start_worker("leaves", environment)
        world.workers["leaves"].wait_ready()
        world.wait_settled(balanced=True)
        yield world


def wait_gone(world: World, why: str) -> None:
    """It ends by itself, with 0, and the other one has everything."""
    world._ending.add("leaves")
    leaver = world.workers["leaves"]
    world.faults.append(Fault(at=SYSTEM_CLOCK.now(), worker=leaver.worker_id, name=why))
    assert leaver.child.wait(PATIENCE, world.pump) == 0, leaver.child.tail(20)
    world.wait_settled(balanced=True, timeout=PATIENCE)


def said_by(world: World, event: str) -> list[dict[str, Any]]:
    lines = world.workers["leaves"].child.log.read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each.get("event") == event]


def check(world: World) -> None:
    """Nothing lost, nothing twice, and what the leaver had was handed over by it."""
    verdict = finish(world)
    assert verdict.duplicates == 0
    leaver = world.workers["leaves"].worker_id
    moves = [move for move in verdict.takeovers if move.old_worker == leaver]
    assert len(moves) >= 1
    assert all(move.clean for move in moves)


# ------------------------------------------------------------------------------------- reasons


def test_a_spot_notice(tmp_path: Path, imds: FakeImds) -> None:
    with two_workers(tmp_path, on_ec2(imds)) as world:
        assert world.workers["leaves"].worker_id.startswith(f"{INSTANCE_ID}-")
        imds.say("spot/instance-action", SPOT)
        wait_gone(world, "spot notice")
        check(world)

        [seen] = said_by(world, "notice.seen")
        assert (seen["kind"], seen["drains"]) == ("spot", True)


def test_a_lifecycle_termination_and_the_hook_that_waits_for_it(
    tmp_path: Path, imds: FakeImds, scaling: FakeAutoScaling
) -> None:
    hook = {
        "KCL_NOTICES_LIFECYCLE_HOOK": HOOK,
        "AWS_ENDPOINT_URL_AUTO_SCALING": scaling.url,
    }
    with two_workers(tmp_path, on_ec2(imds) | hook) as world:
        imds.say("autoscaling/target-lifecycle-state", "Terminated")
        wait_gone(world, "lifecycle termination")
        check(world)

        told = [form for form in scaling.said if form["Action"] == "CompleteLifecycleAction"]
        assert [(form["LifecycleHookName"], form["AutoScalingGroupName"]) for form in told] == [
            (HOOK, GROUP)
        ]
        log = read_audit_logs([world.workers["leaves"].audit_log])
        assert scaling.asked[-1].at > max(event.at for event in log)
        assert [each["was_waiting"] for each in said_by(world, "lifecycle.completed")] == [True]


def test_a_sigterm_in_a_task_of_ecs(tmp_path: Path, ecs: FakeEcs) -> None:
    address = {"ECS_CONTAINER_METADATA_URI_V4": ecs.address}
    with two_workers(tmp_path, address) as world:
        assert world.workers["leaves"].worker_id.startswith(f"{TASK_ID}-worker-")
        world.workers["leaves"].child.send(signal.SIGTERM)
        wait_gone(world, "SIGTERM")
        check(world)


def test_a_task_that_should_stop_while_its_shell_keeps_sigterm_to_itself(
    tmp_path: Path, ecs: FakeEcs
) -> None:
    address = {"ECS_CONTAINER_METADATA_URI_V4": ecs.address}
    with two_workers(tmp_path, address) as world:
        ecs.task("STOPPED")
        wait_gone(world, "task stopped")
        check(world)


def test_a_notice_a_termination_and_two_signals_at_once(
    tmp_path: Path, imds: FakeImds, scaling: FakeAutoScaling
) -> None:
    """A hook that nobody may tell costs an error line; a second signal would end it at once."""
    scaling.code, scaling.message = "AccessDenied", "not yours"
    hook = {
        "KCL_NOTICES_LIFECYCLE_HOOK": HOOK,
        "AWS_ENDPOINT_URL_AUTO_SCALING": scaling.url,
    }
    with two_workers(tmp_path, on_ec2(imds) | hook) as world:
        before = len(imds.asked)
        wait_until(  # so that all are there when it is asked for the next time
            lambda: any("rebalance" in asked.path for asked in imds.asked[before:]),
            "it has been asked for all",
            timeout=PATIENCE,
        )
        imds.say("events/recommendations/rebalance", REBALANCE)
        imds.say("spot/instance-action", SPOT)
        imds.say("autoscaling/target-lifecycle-state", "Terminated")
        wait_until(
            lambda: len(said_by(world, "notice.seen")) == 3,
            "all notices are seen",
            timeout=PATIENCE,
            pump=world.pump,
        )
        wait_gone(world, "everything at once")
        check(world)

        drains = {each["kind"]: each["drains"] for each in said_by(world, "notice.seen")}
        assert drains == {"spot": True, "lifecycle": False, "rebalance": False}
        assert len(said_by(world, "lifecycle.not_completed")) == 1


def test_a_metadata_service_that_hangs_costs_a_line_and_nothing_else(
    tmp_path: Path, imds: FakeImds
) -> None:
    imds.hangs = threading.Event()
    with two_workers(tmp_path, on_ec2(imds)) as world:
        wait_until(
            lambda: len(said_by(world, "notices.unanswered")) == 3,
            "it is told once for each notice",
            timeout=PATIENCE,
            pump=world.pump,
        )
        world.workers["leaves"].child.send(signal.SIGTERM)
        wait_gone(world, "SIGTERM")
        check(world)


# ---------------------------------------------------------------------------- systemd, processes


def test_systemd_hears_a_whole_life(tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    environment = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "1000000"}
    heard: list[str] = []

    def has_heard(begin: str) -> bool:
        heard.extend(line for text in systemd.heard() for line in text.splitlines())
        return any(line.startswith(begin) for line in heard)

    with two_workers(tmp_path, environment) as world:
        wait_until(
            lambda: has_heard("STATUS=running: 2 leases"), "its share is told", timeout=PATIENCE
        )
        world.workers["leaves"].child.send(signal.SIGTERM)
        wait_gone(world, "SIGTERM")
        check(world)
    assert has_heard("STOPPING=1")
    systemd.close()

    assert heard[0].startswith("STATUS=starting ")
    assert heard.count("READY=1") == 1
    assert heard.count("STOPPING=1") == 1
    assert heard.index("READY=1") < heard.index("STOPPING=1")
    assert "WATCHDOG=1" in heard


@dataclass
class Supervisor:
    """`kcl run --processes 2` and its log. The world knows its processes as `leaves-1` and -2."""

    world: World
    child: Child

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = self.child.log.read_text().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in found if each.get("event") == name]

    def wait_for(self, name: str, count: int) -> None:
        wait_until(lambda: len(self.events(name)) >= count, f"{count} {name}", timeout=PATIENCE)

    def share(self) -> None:
        """Wait until both, and the other worker, have their share."""
        self.wait_for("worker.ready", 2)
        for number, ready in enumerate(self.events("worker.ready"), 1):
            audit = self.child.log.with_name(f"both.{number}.jsonl")
            known = WorkerProcess(self.child, audit, audit, str(ready["worker_id"]))
            self.world.workers[f"leaves-{number}"] = known
        self.world.wait_settled(balanced=True)

    def wait_gone(self) -> None:
        """It ends with 0, and the other worker has everything."""
        self.world._ending |= {"leaves-1", "leaves-2"}
        assert self.child.wait(PATIENCE, self.world.pump) == 0, self.child.tail(20)
        self.world.wait_settled(balanced=True, timeout=PATIENCE)


@contextmanager
def two_processes(world: World, directory: Path, more: Mapping[str, str]) -> Iterator[Supervisor]:
    log = directory / "supervisor.log"
    settings = [f"--set={name}={value}" for name, value in FAST.items()]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kcl_py", "run", PROCESSOR, "--processes=2", "--with-parent",
             f"--app={world.app}", f"--stream={world.stream}", "--log-format=json",
             f"--audit-log={directory / 'both.jsonl'}", *settings],
            env={**os.environ, **more}, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        yield Supervisor(world, Child("both", process, log))
    finally:
        process.kill()
        process.wait()


def test_of_two_processes_one_hears_the_notice_for_both_and_tells_the_hook_once(
    tmp_path: Path, imds: FakeImds, scaling: FakeAutoScaling
) -> None:
    environment = on_ec2(imds) | {
        "KCL_NOTICES_LIFECYCLE_HOOK": HOOK,
        "AWS_ENDPOINT_URL_AUTO_SCALING": scaling.url,
    }
    with (
        fleet(tmp_path, "stays") as world,
        two_processes(world, tmp_path, environment) as both,
    ):
        both.share()
        imds.say("autoscaling/target-lifecycle-state", "Terminated")
        both.wait_gone()
        complete = [form["Action"] for form in scaling.said].count("CompleteLifecycleAction")

        assert finish(world).duplicates == 0
        assert complete == 1
        assert len(both.events("notices.watched")) == 1
        assert [each["exit_code"] for each in both.events("process.ended")] == [0, 0]
        ids = {each["worker_id"] for each in both.events("worker.ready")}
        assert all(each.startswith(f"{INSTANCE_ID}-") for each in ids)
        assert len(ids) == 2


def test_systemd_hears_of_two_processes_and_one_that_hangs_is_started_again(
    tmp_path: Path,
) -> None:
    systemd = Systemd(str(tmp_path / "notify"))
    environment = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "6000000"}
    with (
        fleet(tmp_path, "stays") as world,
        two_processes(world, tmp_path, environment) as both,
    ):
        both.share()
        hanging = both.events("process.started")[0]["pid"]
        os.kill(hanging, signal.SIGSTOP)
        both.wait_for("process.silent", 1)
        both.wait_for("worker.ready", 3)
        both.child.send(signal.SIGTERM)
        both.wait_gone()
        heard = [line for text in systemd.heard() for line in text.splitlines()]
        systemd.close()
        finish(world)

        assert [each["pid"] for each in both.events("process.silent")] == [hanging]
    assert heard.count("READY=1") == 1
    before = [line for line in heard[: heard.index("READY=1")] if line.startswith("STATUS=")]
    assert before[-1] == "STATUS=starting: 2 of 2 processes"
    assert "WATCHDOG=1" in heard
    assert "STOPPING=1" in heard
