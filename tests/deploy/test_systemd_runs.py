"""Does a real systemd start, watch, drain and start again the workers of `kcl@.service`?

A Debian whose process 1 is systemd, installed as docs/how-to/deploy-on-ec2.md says, with the
embedded engine on its loopback. The unit is as it stands in `deploy/`; a test that would wait for a
minute shortens that in a drop-in. `pytest -m deploy`, after `.ci/deploy install`.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.deploy.files import ROOT, greeted_in
from tests.deploy.machine import POWER_OFF, Machine, machine, unpack, wait_until, why_not
from tests.docs.pages import Block, Claim, blocks_of, name_of

FILE_SYSTEM = "KCL_TEST_SYSTEMD_ROOT"
PAGE = ROOT / "docs" / "how-to" / "deploy-on-ec2.md"
CLONE = "/usr/src/kcl_py"
PARTS = ("deploy", "docs/examples", "kcl_py", "pyproject.toml", "README.md", "LICENSE")
ENGINE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4567",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
}
KCL = "/srv/kcl/venv/bin/kcl"
INSTALL = "mkdir -p /srv/kcl/app"
LOOK = "(set -a; . /etc/kcl/orders-app.env"
TRY_ENGINE = f"{KCL} local"
TRY_UNIT = "cat >/etc/kcl/greeter.env"

STUCK = r'''
import re
from people import Greeter

class Stuck(Greeter):
    """Holds the interpreter at the first record, for longer than anybody will wait."""

    def process_records(self, batch):
        re.match(r"(a+)+$", "a" * 64 + "b")
'''
QUICK_RESTART = "[Service]\nRestartSec=1\n"
QUICK = f"{QUICK_RESTART}WatchdogSec=6\n"

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(why_not(FILE_SYSTEM) is not None, reason=f"systemd: {why_not(FILE_SYSTEM)}"),
]


def page_block(start: str) -> Block:
    """The one that begins so."""
    [found] = [each for each in blocks_of(PAGE) if each.text.startswith(start)]
    return found


def claimed_blocks() -> Iterator[Claim]:
    """See `tests.docs.pages.Claim`."""
    for start in (INSTALL, LOOK, TRY_ENGINE, TRY_UNIT):
        yield name_of(PAGE), page_block(start).number


def typed(start: str) -> list[str]:
    """The lines of the page's block that begins so, for the program of the first tutorial."""
    block = page_block(start).text
    for ours, theirs in (
        ("path/to/your/program/orders.py", "docs/examples/people.py"),
        ("orders-app", "greeter"),
    ):
        block = block.replace(ours, theirs)
    return [line for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with systemd, a clone, and everything that the page installs before it starts."""
    folder = tmp_path_factory.mktemp("systemd")
    root = folder / "root"
    unpack(FILE_SYSTEM, root)
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        target = root / CLONE.lstrip("/") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, target)
    with machine(root, ["/lib/systemd/systemd"], folder / "systemd.log", POWER_OFF) as booted:
        wait_until(
            lambda: booted.run("systemctl", "is-system-running", check=False).strip() == "running",
            "systemd has booted",
            lambda: booted.run("systemctl", "--failed", check=False),
        )
        install(booted)
        [engine] = typed(TRY_ENGINE)
        booted.shell(f"systemd-run --unit=engine -p DynamicUser=yes {engine}\n")
        yield booted


def install(booted: Machine) -> None:
    """Type what the page says up to the unit; `start` edits the settings and types the rest."""
    for line in typed(INSTALL):
        if line.startswith(("editor ", "systemctl ", "journalctl ")):
            continue
        booted.shell(f"cd {CLONE}\n{line}\n", network="pip install" in line)


@dataclass(frozen=True)
class Unit:
    """An instance of the unit."""

    host: Machine
    name: str
    stream: str

    def show(self, name: str) -> str:
        return self.host.run("systemctl", "show", "--value", "-p", name, self.name).strip()

    def enable(self) -> None:
        """As the page says it."""
        [line] = [line for line in typed(INSTALL) if line.startswith("systemctl enable")]
        self.host.shell(line.replace("kcl@greeter", self.name))

    def restart(self) -> None:
        self.host.run("systemctl", "restart", self.name)

    def stop(self) -> None:
        self.host.run("systemctl", "stop", self.name)

    def lines(self) -> list[str]:
        return self.host.run("journalctl", "--no-pager", "-o", "cat", "-u", self.name).splitlines()

    def said(self) -> str:
        return self.host.run("systemctl", "status", "--no-pager", "-l", self.name, check=False)

    def wait_for(self, words: str, count: int = 1) -> None:
        """Until its journal has so many lines with these words."""

        def heard() -> bool:
            return sum(words in line for line in self.lines()) >= count

        wait_until(heard, f"{count} times {words!r}", lambda: "\n".join(self.lines()[-40:]))

    def wait_active(self) -> None:
        wait_until(lambda: self.show("SubState") == "running", "it is active", self.said)

    def greeted(self) -> Counter[str]:
        return greeted_in("\n".join(self.lines()))

    def processes(self) -> list[int]:
        """As the machine numbers them; the main one first."""
        group = self.show("ControlGroup")
        pids = self.host.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()
        return sorted(map(int, pids))


def kcl(host: Machine, *arguments: str, said: str | None = None) -> str:
    names = [f"{name}={value}" for name, value in ENGINE.items()]
    return host.run("env", *names, KCL, *arguments, said=said)


def unit(host: Machine, name: str, stream: str, more: Mapping[str, str] | None = None) -> Unit:
    """Write the settings of an instance, as somebody who edits the example, for a stream."""
    kcl(host, "stream", "create", stream, "--shards", "4", "--if-missing", "--wait")
    settings = {
        "PROCESSOR": "people:Greeter",
        "PROCESSES": "2",
        "KCL_APP_NAME": stream,
        "KCL_STREAM": stream,
        "KCL_TABLE_CREATE": "true",
        "KCL_LEASES_DURATION": "3s",
        "KCL_LEASES_SETTLE": "2s",
        **ENGINE,
        **(more or {}),
    }
    text = "".join(f"{key}={value}\n" for key, value in settings.items())
    (host.root / "etc" / "kcl" / f"{name}.env").write_text(text, encoding="utf-8")
    return Unit(host, f"kcl@{name}", stream)


def put(host: Machine, stream: str, first: int, count: int) -> set[str]:
    """Put people whose names are numbers, each once."""
    names = [f"n{number}" for number in range(first, first + count)]
    lines = "".join(f'{{"name": "{name}"}}\n' for name in names)
    kcl(host, "produce", stream, "-", "--format", "jsonl", said=lines)
    return set(names)


def test_the_page_can_be_typed_as_it_is(host: Machine) -> None:
    said = host.shell("\n".join(typed(TRY_UNIT)) + "\n")

    assert said.startswith("100 records ")
    greeter = Unit(host, "kcl@greeter", "people")
    assert (greeter.show("Result"), greeter.show("ExecMainStatus")) == ("success", "0")

    # The page stops it as soon as all records are put: what it had not read yet comes now.
    greeter.enable()
    wait_until(lambda: greeter.greeted().total() >= 100, "everybody was greeted", greeter.said)
    said = host.shell("\n".join(typed(LOOK)) + "\n")
    assert "shardId-000000000003" in said
    assert "2 processes: running" in said
    greeter.stop()
    assert greeter.greeted().total() == 100


def test_two_instances_share_the_work_and_one_that_stops_hands_over_without_repeating(
    host: Machine,
) -> None:
    one = unit(host, "one", "shared")
    two = unit(host, "two", "shared")
    one.enable()
    assert (one.show("ActiveState"), one.show("SubState")) == ("active", "running"), one.said()
    assert one.show("StatusText").startswith("running: 2 of 2 processes")
    two.enable()
    two.wait_for("lease.taken", 2)
    put_first = put(host, "shared", 0, 200)
    greeted_by(put_first, one, two)
    assert one.greeted()
    assert two.greeted()

    two.restart()
    two.stop()
    put_second = put(host, "shared", 200, 200)
    greeted_by(put_first | put_second, one, two)
    one.stop()

    for each in (one, two):
        assert (each.show("Result"), each.show("ExecMainStatus")) == ("success", "0"), each.said()
        assert each.show("NRestarts") == "0"
        assert "process.ended" in "".join(each.lines())
    assert set((one.greeted() + two.greeted()).values()) == {1}


def greeted_by(names: set[str], *units: Unit) -> None:
    def all_greeted() -> bool:
        return names <= {name for each in units for name in each.greeted()}

    wait_until(all_greeted, "everybody was greeted", units[0].said)


def test_the_hardening_holds(host: Machine) -> None:
    hard = unit(host, "hard", "hard", {"PROCESSES": "1"})
    hard.enable()
    for pid in hard.processes():
        status = host.run("cat", f"/proc/{pid}/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(facts["Uid"].split()[0]) >= 61184, "not a user of DynamicUser"
        assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == 0
        assert facts["NoNewPrivs"] == "1"
        assert facts["Seccomp"] == "2"
    main = hard.show("MainPID")
    places = ("/srv/kcl/app", "/etc", "/var/lib", "/tmp", "/run/kcl/hard")
    write = "".join(f"touch {place}/x && echo {place}\n" for place in places) + "true"
    inside = host.run("nsenter", "-t", main, "-m", "sh", "-c", write)
    assert inside.split() == ["/tmp", "/run/kcl/hard"]
    assert not (host.root / "tmp" / "x").exists()
    hard.stop()


def test_a_killed_worker_is_started_again_and_so_is_a_killed_service(host: Machine) -> None:
    killed = unit(host, "killed", "killed")
    drop_in(host, "kcl@killed", QUICK_RESTART)
    killed.enable()
    main, worker, _ = killed.processes()
    assert killed.show("MainPID") == str(main)

    host.shell(f"kill -KILL {worker}")
    killed.wait_for("process.restarting")
    killed.wait_for("worker.ready", 3)
    assert killed.show("MainPID") == str(main)

    host.shell(f"kill -KILL {main}")
    wait_until(lambda: killed.show("NRestarts") == "1", "it is started again", killed.said)
    killed.wait_active()
    assert main not in killed.processes()
    greeted_by(put(host, "killed", 0, 20), killed)
    killed.stop()
    assert killed.show("ExecMainStatus") == "0"


def test_a_worker_whose_code_holds_the_interpreter_is_ended_by_the_watchdog(host: Machine) -> None:
    (host.root / "srv" / "kcl" / "app" / "stuck.py").write_text(STUCK, encoding="utf-8")
    stuck = unit(host, "stuck", "stuck", {"PROCESSES": "1", "PROCESSOR": "stuck:Stuck"})
    drop_in(host, "kcl@stuck", QUICK)
    stuck.enable()
    before = stuck.show("WatchdogTimestampMonotonic")
    wait_until(
        lambda: int(stuck.show("WatchdogTimestampMonotonic")) > int(before), "it lives", stuck.said
    )
    assert stuck.show("NRestarts") == "0"

    put(host, "stuck", 0, 4)
    stuck.wait_for("Watchdog timeout")
    stuck.wait_for("in process_records")
    wait_until(lambda: stuck.show("NRestarts") != "0", "it is started again", stuck.said)
    stuck.wait_for("worker.ready", 2)
    host.run("systemctl", "kill", "-s", "KILL", stuck.name)
    stuck.stop()


def test_dead_letters_outlive_the_unit(host: Machine) -> None:
    kept = "/var/lib/kcl/letters/dead.jsonl"
    letters = unit(
        host,
        "letters",
        "letters",
        {
            "PROCESSES": "1",
            "KCL_ON_ERROR_THEN": "dead_letter",
            "KCL_ON_ERROR_ATTEMPTS": "1",
            "KCL_ON_ERROR_DEAD_LETTERS": f"file:{kept}",
        },
    )
    drop_in(host, "kcl@letters", "[Service]\nStateDirectory=kcl/%i\n")
    letters.enable()
    kcl(host, "put", "letters", "this is no JSON")
    letters.wait_for("record.dead_lettered")
    letters.stop()

    assert host.run("cat", kept).count("\n") == 1


def drop_in(host: Machine, name: str, text: str) -> None:
    folder = host.root / "etc" / "systemd" / "system" / f"{name}.service.d"
    folder.mkdir()
    (folder / "quick.conf").write_text(text, encoding="utf-8")
    host.run("systemctl", "daemon-reload")


def test_wrong_settings_stay_down_until_somebody_mends_them(host: Machine) -> None:
    wrong = unit(host, "wrong", "wrong", {"PROCESSES": "1", "PROCESSOR": "people:Greter"})
    host.run("systemctl", "start", wrong.name, check=False)

    assert (wrong.show("ActiveState"), wrong.show("ExecMainStatus")) == ("failed", "2")
    assert wrong.show("NRestarts") == "0"
    assert any("did you mean Greeter?" in line for line in wrong.lines())

    mended = (
        (host.root / "etc" / "kcl" / "wrong.env").read_text("utf-8").replace("Greter", "Greeter")
    )
    (host.root / "etc" / "kcl" / "wrong.env").write_text(mended, encoding="utf-8")
    wrong.enable()
    assert wrong.show("SubState") == "running"
    wrong.stop()


def test_a_start_waits_for_a_stream_that_is_not_there_yet_and_says_so(host: Machine) -> None:
    waits = unit(host, "waits", "waits", {"KCL_STREAM": "later"})
    host.run("systemctl", "start", "--no-block", waits.name)
    waits.wait_for("there is no stream later")
    assert waits.show("SubState") == "start"
    assert waits.show("StatusText").startswith("starting: "), waits.said()

    kcl(host, "stream", "create", "later", "--shards", "4", "--wait")
    waits.wait_active()
    waits.stop()
    assert waits.show("Result") == "success"
