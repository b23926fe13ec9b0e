"""Does the image build, run as its user on a read-only root, pass its health check, and drain?

Builds for real and runs what was built, so it needs root and buildah, and takes a minute or two:
`pytest -m deploy`, after `.ci/deploy install`.
"""

from __future__ import annotations

import importlib.util
import json
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import COMPOSE
from tests.deploy.image import Buildah, Container, Image, why_not

HAS_HEALTH = importlib.util.find_spec("kcl_py.health") is not None
LOOKS_MAX = 100
LOOK_SECONDS = 0.3
LISTING = """
import importlib.metadata, json
print(json.dumps([each.name for each in importlib.metadata.distributions()]))
"""
ADDED_BYTES_MAX = 120 * 1024**2

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(why_not() is not None, reason=f"image: {why_not()}"),
]


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the fleet, on a port that is free here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    text = COMPOSE.read_text(encoding="utf-8").replace("4567", port)
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def start(image: Image, service: dict[str, Any], *command: str) -> Container:
    return image.start(
        command or service["command"],
        entrypoint=service.get("entrypoint"),
        environment=service.get("environment"),
    )


def test_the_default_image_is_for_programs_of_others(buildah: Buildah) -> None:
    runtime = buildah.make("runtime")

    assert list((runtime.rootfs / "app").iterdir()) == []
    with runtime.start() as helped:
        assert "Usage: kcl run" in helped.wait_for("Usage")
        assert helped.end() == 0


def test_it_is_configured_as_promised(image: Image) -> None:
    config = image.config

    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["kcl"]
    assert config["Cmd"] == ["run", "people:Greeter"]
    assert image.health_check == ["python3", "-m", "kcl_py.health"]


def test_it_holds_nothing_to_build_with_and_nothing_that_its_user_may_change(image: Image) -> None:
    added = [image.rootfs / "venv", image.rootfs / "app"]
    files = [path for top in added for path in [top, *top.rglob("*")]]
    states = [(path, path.lstat()) for path in files]

    names = {path.name for path in files}
    assert not names & {"pip", "setuptools", "tests", "uv", "Dockerfile"}
    # Links have all rights by nature; what they lead to counts.
    real = [(path, state) for path, state in states if not stat.S_ISLNK(state.st_mode)]
    assert [path for path, state in real if (state.st_uid, state.st_gid) != (0, 0)] == []
    assert [path for path, state in real if state.st_mode & (stat.S_IWOTH | stat.S_IWGRP)] == []
    assert [path for path, state in real if state.st_mode & (stat.S_ISUID | stat.S_ISGID)] == []
    assert sum(state.st_size for _, state in real) < ADDED_BYTES_MAX
    assert any(path.suffix == ".pyc" for path in files), "not compiled, and its root is read-only"


def test_a_fleet_as_in_compose_works_and_drains(image: Image, services: dict[str, Any]) -> None:
    with start(image, services["engine"]) as engine:
        engine.wait_for("endpoint_url")
        with start(image, services["stream"]) as stream:
            assert stream.end() == 0, stream.lines
        workers = [start(image, services["worker"]) for _ in range(3)]
        with workers[0], workers[1], workers[2], start(image, services["producer"]) as producer:
            for worker in workers:
                worker.wait_for("hello")
            check_user(workers[0])
            check_health(workers[0])
            assert [worker.stop() for worker in workers] == [0, 0, 0], workers[0].lines
            assert producer.stop() == 0, producer.lines
        assert engine.stop() == 0, engine.lines


def check_user(worker: Container) -> None:
    status = Path(f"/proc/{worker.pid}/status").read_text(encoding="ascii")
    [ids] = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]

    assert set(ids) == {"10001"}
    assert worker.also(["sh", "-c", "echo > /app/x"]).returncode != 0
    assert worker.also(["sh", "-c", "echo > /tmp/x"]).returncode == 0


def check_health(worker: Container) -> None:
    """The image's own health check says yes, once there is one."""
    said = worker.also(worker.image.health_check)
    if not HAS_HEALTH:
        assert "No module named kcl_py.health" in said.stderr
        return
    patience = threading.Event()
    for _ in range(LOOKS_MAX):
        if said.returncode == 0:
            return
        patience.wait(LOOK_SECONDS)
        said = worker.also(worker.image.health_check)
    raise AssertionError(said)


def test_a_container_without_its_engine_ends_by_itself_with_a_clear_word(
    image: Image, services: dict[str, Any]
) -> None:
    with start(image, services["stream"]) as stream:
        assert stream.end() == 3
        assert any(line.startswith("error: ") for line in stream.lines), stream.lines


def test_constraints_name_every_package_that_was_installed(image: Image) -> None:
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (COMPOSE.parent / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    }
    with image.start([LISTING], entrypoint=["python3", "-c"]) as lister:
        names = {name.lower().replace("_", "-") for name in json.loads(lister.wait_for("["))}
        assert lister.end() == 0

    # Those are there for who builds with EXTRAS=cli,otel.
    assert names - {"kcl-py"} == {name for name in pinned if not name.startswith("opentelemetry")}


def test_opentelemetry_is_there_if_the_build_was_asked_for_it(
    image: Image, buildah: Buildah
) -> None:
    assert image.rootfs.is_dir()
    traced = buildah.make("base", extras="cli,otel")
    # Not imported by name: what the settings ask for has to find it.
    command = "from kcl_py._otel import is_installed; print(is_installed(), flush=True)"

    with traced.start(["-c", command], entrypoint=["python3"]) as asked:
        assert asked.wait_for("True")
        assert asked.end() == 0
