"""Does `docker compose` start, heal, scale and drain the fleet of `compose.yaml`?

A real Docker in a Debian of its own, with the image that buildah has made: in there is no way to a
package index, so `--build` is left out. What is typed is on docs/how-to/deploy-on-ecs.md.
`pytest -m deploy`, after `.ci/deploy install`.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import image as images
from tests.deploy.files import COMPOSE, ROOT, greeted_in, load
from tests.deploy.image import Buildah, Image
from tests.deploy.machine import Machine, machine, unpack, wait_until, why_not
from tests.docs.pages import Block, Claim, blocks_of, name_of

FILE_SYSTEM = "KCL_TEST_DOCKER_ROOT"
START = ("sh", "-c", "ip link set lo up && exec dockerd")
NAME = "docker.io/library/kcl-example:latest"
PROJECT = "kcl-fleet"
PAGE = ROOT / "docs" / "how-to" / "deploy-on-ecs.md"
SOURCES = Path("usr") / "src"
REPOSITORY = SOURCES / "kcl_py"

SLOW = '''
import time
from people import Greeter

class Slow(Greeter):
    """Takes longer for a batch than the 10 s that Docker grants unless told otherwise."""

    def process_records(self, batch):
        time.sleep(13)
        super().process_records(batch)
'''
SLOW_WORKERS = """\
services:
  worker:
    command: ["run", "slow:Slow"]
    environment: {PYTHONPATH: /slow}
    volumes: ["/usr/src/slow:/slow:ro"]
"""

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(
        images.why_not() is not None or why_not(FILE_SYSTEM) is not None,
        reason=f"compose: {images.why_not() or why_not(FILE_SYSTEM)}",
    ),
]


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, buildah: Buildah, image: Image
) -> Iterator[Machine]:
    """A machine with Docker, and the image by the name that compose gives it."""
    assert image.config["Cmd"] == ["run", "people:Greeter"]
    folder = tmp_path_factory.mktemp("docker")
    root = folder / "root"
    unpack(FILE_SYSTEM, root)
    target = root / REPOSITORY / "deploy"
    target.mkdir(parents=True)
    shutil.copy(COMPOSE, target)
    buildah("push", "localhost/example", f"docker-archive:{root / 'image.tar'}:{NAME}")
    with machine(root, START, folder / "docker.log", signal.SIGTERM) as booted:
        wait_until(
            lambda: "Server Version" in booted.run("docker", "info", check=False),
            "Docker answers",
            lambda: (folder / "docker.log").read_text("utf-8")[-3000:],
        )
        booted.run("docker", "load", "--input", "/image.tar")
        (root / "image.tar").unlink()
        yield booted


def page_block() -> Block:
    """The one of the page about ECS that starts this fleet and looks at it."""
    [found] = [each for each in blocks_of(PAGE) if each.text.startswith("docker compose ")]
    return found


def claimed_blocks() -> Iterator[Claim]:
    """See `tests.docs.pages.Claim`."""
    yield name_of(PAGE), page_block().number


@dataclass(frozen=True)
class Fleet:
    """What `docker compose` has made of the file."""

    host: Machine
    files: tuple[str, ...] = ("deploy/compose.yaml",)

    def compose(self, *arguments: str, said: str | None = None) -> str:
        files = [part for name in self.files for part in ("-f", name)]
        command = ("docker", "compose", *files, *arguments)
        return self.host.run("env", "-C", f"/{REPOSITORY}", *command, said=said)

    def kcl(self, *arguments: str, said: str | None = None) -> str:
        return self.compose("exec", "-T", "worker", "kcl", *arguments, said=said)

    def type(self, line: str) -> str:
        """Of the page; without a terminal, and with the image that is there already."""
        line = line.replace("up --build", "up --detach").replace(" exec ", " exec -T ")
        return self.host.shell(f"cd /{REPOSITORY}\n{line}\n")

    def states(self) -> dict[str, Any]:
        """State by container, without the name of the project."""
        ids = self.host.run("docker", "ps", "-aq").split()
        told = json.loads(self.host.run("docker", "inspect", *ids)) if ids else []
        return {each["Name"].removeprefix(f"/{PROJECT}-"): each["State"] for each in told}

    def owners(self) -> dict[str, str]:
        """Who has which shard, as `kcl leases` sees it."""
        rows = json.loads(self.kcl("leases", "--json"))["leases"]
        return {row["lease_key"]: row["owner"] for row in rows if row["owner"]}

    def wait_healthy(self, *names: str) -> None:
        def healthy() -> bool:
            states = self.states()
            return all(states[name]["Health"]["Status"] == "healthy" for name in names)

        wait_until(healthy, f"{names} are healthy", self.logs)

    def logs(self, service: str = "") -> str:
        """Of its containers, or of all; `docker compose logs` adds what a terminal eats."""
        names = self.host.run("docker", "ps", "-a", "--format", "{{.Names}}").split()
        wanted = [name for name in names if name.startswith(f"{PROJECT}-{service}")]
        return self.host.shell("".join(f"docker logs {name} 2>&1\n" for name in wanted))

    def greeted(self) -> Counter[str]:
        return greeted_in(self.logs("worker"))

    def put(self, first: int, count: int) -> set[str]:
        """Put people whose names are numbers, each once, beside those of the producer."""
        names = [f"n{number}" for number in range(first, first + count)]
        lines = "".join(f'{{"name": "{name}"}}\n' for name in names)
        self.kcl("produce", "people", "-", "--format", "jsonl", said=lines)
        return set(names)

    def wait_greeted(self, names: set[str]) -> None:
        wait_until(lambda: names <= set(self.greeted()), "everybody was greeted", self.logs)


@pytest.fixture
def fleet(host: Machine) -> Iterator[Fleet]:
    made = Fleet(host)
    made.compose("up", "--detach")
    yield made
    made.compose("down", "--timeout", "1")


def test_a_fleet_starts_in_order_works_hands_over_and_drains(fleet: Fleet) -> None:
    workers = [f"worker-{number}" for number in (1, 2, 3)]
    states = fleet.states()
    assert set(states) == {"engine-1", "stream-1", "producer-1", *workers}
    assert (states["stream-1"]["Status"], states["stream-1"]["ExitCode"]) == ("exited", 0)
    fleet.wait_healthy("engine-1", *workers)
    wait_until(lambda: len(set(fleet.owners().values())) == 3, "each has a share", fleet.logs)
    put = fleet.put(0, 200)
    fleet.wait_greeted(put)
    check_user(fleet)

    fleet.compose("stop", "producer")
    fleet.host.run("docker", "stop", f"{PROJECT}-worker-2")
    put |= fleet.put(200, 200)
    fleet.wait_greeted(put)
    assert len(set(fleet.owners().values())) == 2
    fleet.compose("stop")

    assert {name: state["ExitCode"] for name, state in fleet.states().items()} == dict.fromkeys(
        states, 0
    )
    greeted = fleet.greeted()
    assert {greeted[name] for name in put} == {1}
    assert sum(greeted.values()) == len(put) + delivered(fleet)


def check_user(fleet: Fleet) -> None:
    """What the file promises of hardening."""
    status = fleet.compose("exec", "-T", "worker", "cat", "/proc/self/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert facts["Uid"].split() == ["10001"] * 4
    assert int(facts["CapBnd"], 16) == 0
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    written = "touch /app/x || touch /venv/x || touch /tmp/x && echo only /tmp"
    assert fleet.compose("exec", "-T", "worker", "sh", "-c", written) == "only /tmp\n"


def delivered(fleet: Fleet) -> int:
    """What the producer says of itself at its end."""
    [last] = [line for line in fleet.logs("producer").splitlines() if " delivered to " in line]
    return int(last.split()[0].replace(",", ""))


def test_the_page_s_commands_a_killed_worker_and_a_larger_fleet(fleet: Fleet) -> None:
    fleet.wait_healthy("worker-1", "worker-2", "worker-3")
    up, leases, top, doctor, split, kill, scale, down = page_block().text.splitlines()
    fleet.type(up)
    assert "shardId-000000000003" in fleet.type(leases)
    assert "3 workers" in fleet.type(top)
    assert " alive" in fleet.type(doctor)  # and the exit code: no problem was found
    assert "shardId-000000000005" in fleet.type(split)
    wait_until(lambda: "shardId-000000000005" in fleet.owners(), "a child is read", fleet.logs)

    fleet.type(kill)
    assert fleet.states()["worker-1"]["ExitCode"] == 137
    fleet.wait_greeted(fleet.put(0, 50))
    fleet.type(scale)
    fleet.wait_healthy(*(f"worker-{number}" for number in range(1, 6)))
    wait_until(lambda: len(set(fleet.owners().values())) == 5, "each has a share", fleet.logs)
    fleet.type(down)
    assert fleet.states() == {}


def test_a_worker_that_needs_longer_than_docker_grants_by_itself_is_not_killed(
    host: Machine,
) -> None:
    grace = load(COMPOSE)["services"]["worker"]["stop_grace_period"]
    (host.root / SOURCES / "slow").mkdir()
    (host.root / SOURCES / "slow" / "slow.py").write_text(SLOW, encoding="utf-8")
    (host.root / REPOSITORY / "slow.yaml").write_text(SLOW_WORKERS, encoding="utf-8")
    fleet = Fleet(host, ("deploy/compose.yaml", "slow.yaml"))
    fleet.compose("up", "--detach", "--scale", "worker=1")
    try:
        wait_until(lambda: "processor.started" in fleet.logs("worker"), "it works", fleet.logs)
        [worker] = json.loads(host.run("docker", "inspect", f"{PROJECT}-worker-1"))
        assert f"{worker['Config']['StopTimeout']}s" == grace
        fleet.compose("stop", "worker")
        state = fleet.states()["worker-1"]
        assert state["ExitCode"] == 0, fleet.logs("worker")
        assert "hello" in fleet.logs("worker")
    finally:
        fleet.compose("down", "--timeout", "1")
