"""Is a worker named after its task or instance, within the rules, and without delay elsewhere?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py import ConfigError, Worker, WorkerConfig
from kcl_py.hosts import identity
from kcl_py.hosts.ecs import TaskFacts, parse_container
from kcl_py.hosts.identity import find_name, named_after_host, read_hints, task_name
from kcl_py.hosts.notices import NoAnswer
from kcl_py.hosts.places import (
    ENDPOINT_IPV4,
    ENDPOINT_IPV6,
    Hints,
    imds_endpoint,
    instance_id_of,
    place_of,
)
from tests.hosts.fakes import INSTANCE_ID, TASK_ID, FakeEcs, FakeImds

NITRO = Hints(vendor="Amazon EC2", asset_tag=INSTANCE_ID)
XEN = Hints(hypervisor="ec2e1916-9099-7caf-fd21-012345abcdef")
ECS_URL = {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}
NOWHERE = Path("nowhere")


@pytest.fixture
def ecs() -> Iterator[FakeEcs]:
    service = FakeEcs()
    with service.running():
        yield service


@pytest.fixture
def imds() -> Iterator[FakeImds]:
    service = FakeImds()
    with service.running():
        yield service


def at(service: FakeImds | FakeEcs) -> dict[str, str]:
    if isinstance(service, FakeEcs):
        return {"ECS_CONTAINER_METADATA_URI_V4": service.address}
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": service.url}


# ------------------------------------------------------------------------------------ places


@pytest.mark.parametrize(
    ("env", "hints", "place"),
    [
        ({}, Hints(), "other"),
        ({}, Hints(vendor="QEMU", asset_tag="i-0123456789abcdef0"), "other"),
        ({}, NITRO, "ec2"),
        ({}, XEN, "ec2"),
        (ECS_URL, NITRO, "ecs"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, NITRO, "kubernetes"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://h"}, Hints(), "ec2"),
        (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://h", "AWS_EC2_METADATA_DISABLED": "true"},
            Hints(),
            "other",
        ),
    ],
)
def test_where_it_runs(env: Mapping[str, str], hints: Hints, place: str) -> None:
    assert place_of(env, hints) == place


@pytest.mark.parametrize(
    ("env", "endpoint"),
    [
        ({}, ENDPOINT_IPV4),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, ENDPOINT_IPV6),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://host:1/"}, "http://host:1"),
        ({"AWS_EC2_METADATA_DISABLED": "TRUE"}, None),
        ({"AWS_EC2_METADATA_DISABLED": "false"}, ENDPOINT_IPV4),
    ],
)
def test_the_address_is_what_boto3_would_ask(env: Mapping[str, str], endpoint: str) -> None:
    assert imds_endpoint(env) == endpoint


def test_the_firmware_tells_the_instance(tmp_path: Path) -> None:
    dmi = tmp_path / "class" / "dmi" / "id"
    dmi.mkdir(parents=True)
    (dmi / "sys_vendor").write_text("Amazon EC2\n")
    (dmi / "board_asset_tag").write_text(f"{INSTANCE_ID}\n")

    assert read_hints(tmp_path) == NITRO
    assert instance_id_of(NITRO) == INSTANCE_ID
    assert instance_id_of(Hints(asset_tag="Amazon EC2")) is None
    assert read_hints(tmp_path / "nothing") == Hints()


# ------------------------------------------------------------------------------------- names


def test_a_task_gives_its_id_and_container(ecs: FakeEcs) -> None:
    config = named_after_host(WorkerConfig(), at(ecs), sys=NOWHERE, wait=30.0)

    assert config.worker_name == f"{TASK_ID}-worker"


def test_an_instance_gives_its_id(imds: FakeImds) -> None:
    config = named_after_host(WorkerConfig(), at(imds), sys=NOWHERE, wait=30.0)

    assert config.worker_name == INSTANCE_ID


def test_the_firmware_is_asked_before_the_network() -> None:
    assert find_name({"AWS_EC2_METADATA_DISABLED": "true"}, NITRO) == INSTANCE_ID
    assert find_name({"AWS_EC2_METADATA_DISABLED": "true"}, XEN) is None


def test_a_name_of_the_user_is_kept_and_nobody_is_asked(ecs: FakeEcs) -> None:
    config = WorkerConfig(worker_name="blue")

    assert named_after_host(config, at(ecs), sys=NOWHERE) is config
    assert ecs.asked == []


@pytest.mark.parametrize("env", [{}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_elsewhere_the_host_gives_the_name(env: Mapping[str, str]) -> None:
    assert named_after_host(WorkerConfig(), env, sys=NOWHERE) == WorkerConfig()


def test_a_service_that_hangs_delays_a_start_by_no_more_than_was_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_started = threading.Event()

    def find(*_: object) -> str | None:
        has_started.wait()  # for ever, if the start waits for this
        return None

    monkeypatch.setattr(identity, "find_name", find)
    assert named_after_host(WorkerConfig(), {}, sys=NOWHERE, wait=0.01) == WorkerConfig()
    has_started.set()


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_service_that_refuses_gives_no_name(imds: FakeImds, ecs: FakeEcs, status: int) -> None:
    imds.status = ecs.status = status

    assert find_name(at(imds), Hints()) is None
    assert find_name(at(ecs), Hints()) is None


@pytest.mark.parametrize("text", ["", "i-", "shardId-000000000000", "<a>", "i-0123456789abcdef0 "])
def test_what_is_no_instance_id_is_no_name(imds: FakeImds, text: str) -> None:
    imds.say("instance-id", text)

    assert find_name(at(imds), Hints()) == (INSTANCE_ID if text.startswith(INSTANCE_ID) else None)


@given(
    task=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    container=st.text(max_size=255) | st.from_regex(r"[A-Za-z0-9_-]{20,255}", fullmatch=True),
)
def test_every_task_gives_a_name_within_the_rules(task: str, container: str) -> None:
    name = task_name(TaskFacts(task, container))

    assert WorkerConfig(worker_name=name).worker_name == name
    assert name.startswith(task)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(
            st.sampled_from(["Labels", "Name", "com.amazonaws.ecs.task-arn"]) | st.text(), inner
        ),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_metadata_gives_a_name_or_a_reason(found: object) -> None:
    try:
        facts = parse_container(json.dumps(found))
    except NoAnswer:
        return
    WorkerConfig(worker_name=task_name(facts))


def test_a_worker_from_the_environment_is_named_after_its_task(ecs: FakeEcs) -> None:
    env = at(ecs) | {"KCL_APP_NAME": "demo", "KCL_STREAM": "people"}

    worker = Worker.from_env(lambda batch: None, env=env)

    assert worker.worker_id.startswith(f"{TASK_ID}-worker-")


def test_a_name_that_is_wrong_is_still_refused() -> None:
    with pytest.raises(ConfigError, match="worker_name"):
        WorkerConfig(worker_name="a b")
