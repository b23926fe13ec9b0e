"""Are settings checked when they are made, and read from text without surprises?"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.config import (
    AfterAttempts,
    Backoff,
    DeliveryConfig,
    LeaseConfig,
    OnError,
    PollingConfig,
    TableConfig,
    WorkerConfig,
    normalise_initial_position,
)
from kcl_py.dead_letters import JsonLinesDeadLetters
from kcl_py.errors import ConfigError
from kcl_py.settings import apply_settings, env_name, known_settings, parse_setting

NAIVE = datetime(2026, 11, 21, 10)  # noqa: DTZ001 - what is refused
AWARE = datetime(2026, 11, 21, 10, tzinfo=UTC)
NAN = float("nan")


async def _later(letters: object) -> None:
    """Nothing is durable when a call of this returns."""


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: LeaseConfig(duration=2.9), "leases.duration"),
        (lambda: LeaseConfig(duration=300.1), "leases.duration"),
        (lambda: LeaseConfig(duration=NAN), "leases.duration"),
        (lambda: LeaseConfig(duration="10s"), "leases.duration"),  # type: ignore[arg-type]
        (lambda: LeaseConfig(duration=True), "leases.duration"),
        (lambda: LeaseConfig(fence_margin=0.4), "leases.fence_margin"),
        (lambda: LeaseConfig(duration=3.0, fence_margin=2.0), "leases.fence_margin"),
        (lambda: LeaseConfig(max_leases=0), "leases.max_leases"),
        (lambda: LeaseConfig(max_leases=1.5), "leases.max_leases"),  # type: ignore[arg-type]
        (lambda: LeaseConfig(handoff_timeout=0.0), "leases.handoff_timeout"),
        (lambda: LeaseConfig(settle=-0.1), "leases.settle"),
        (lambda: LeaseConfig(scan_interval=0.0), "leases.scan_interval"),
        (lambda: LeaseConfig(scan_interval=6.7), "leases.scan_interval"),
        (lambda: WorkerConfig(stop_grace=20.0), "leases.handoff_timeout"),
        (lambda: OnError(give_up_on=ValueError), "on_error.give_up_on"),  # type: ignore[arg-type]
        (lambda: OnError(give_up_on=[ValueError]), "on_error.give_up_on"),  # type: ignore[arg-type]
        (lambda: OnError(give_up_on=("ValueError",)), "on_error.give_up_on"),  # type: ignore[arg-type]
        (lambda: WorkerConfig(stop_grace=0.0), "stop_grace"),
        (lambda: WorkerConfig(initial_position=NAIVE), "initial_position"),
        (lambda: WorkerConfig(initial_position="now"), "initial_position"),  # type: ignore[arg-type]
        (lambda: WorkerConfig(initial_position=[]), "initial_position"),  # type: ignore[arg-type]
        (lambda: WorkerConfig(worker_name=""), "worker_name"),
        (lambda: WorkerConfig(worker_name="a b"), "worker_name"),
        (lambda: WorkerConfig(worker_name="x" * 65), "worker_name"),
        (lambda: WorkerConfig(worker_name="Leader"), "worker_name"),
        (lambda: WorkerConfig(worker_name="Migration3.0"), "worker_name"),
        (lambda: WorkerConfig(worker_name="TableMigration3.5"), "worker_name"),
        (lambda: WorkerConfig(worker_name="kcl-application"), "worker_name"),
        (lambda: WorkerConfig(worker_name="shardId-000000000000"), "worker_name"),
        (lambda: WorkerConfig(kinesis_endpoint_url="localhost:1"), "kinesis_endpoint_url"),
        (lambda: WorkerConfig(transport="http"), "transport"),  # type: ignore[arg-type]
        (lambda: TableConfig(name="a"), "table.name"),
        (lambda: TableConfig(name="a/b/c"), "table.name"),
        (lambda: PollingConfig(page_records=0), "reading.page_records"),
        (lambda: PollingConfig(page_records=10_001), "reading.page_records"),
        (lambda: PollingConfig(busy_interval=0.19), "reading.busy_interval"),
        (lambda: PollingConfig(idle_interval=0.0), "reading.idle_interval"),
        (lambda: PollingConfig(strays="keep"), "reading.strays"),  # type: ignore[arg-type]
        (lambda: DeliveryConfig(batch_records=0), "delivery.batch_records"),
        (lambda: DeliveryConfig(buffer_bytes=1024), "delivery.buffer_bytes"),
        (lambda: DeliveryConfig(checkpoint_interval=0.0), "delivery.checkpoint_interval"),
        (lambda: DeliveryConfig(slow_after=0.0), "delivery.slow_after"),
        (lambda: DeliveryConfig(hung_after=0.0), "delivery.hung_after"),
        (lambda: OnError(attempts=0), "on_error.attempts"),
        (lambda: OnError(then="dead_letter"), "on_error.dead_letters"),
        (lambda: OnError(dead_letters="ftp://host/x"), "on_error.dead_letters"),
        (lambda: OnError(dead_letters="s3://"), "on_error.dead_letters"),
        (lambda: OnError(dead_letters="sqs:orders"), "on_error.dead_letters"),
        (lambda: OnError(dead_letters="sqs://h/1/q?large=s3://b"), "on_error.dead_letters"),
        (lambda: OnError(dead_letters=JsonLinesDeadLetters), "on_error.dead_letters"),  # type: ignore[arg-type]
        (lambda: OnError(dead_letters=7), "on_error.dead_letters"),  # type: ignore[arg-type]
        (lambda: OnError(dead_letters=_later), "on_error.dead_letters"),  # type: ignore[arg-type]
        (lambda: OnError(then="stop"), "on_error.then"),  # type: ignore[arg-type]
        (lambda: Backoff(first=0.0), "on_error.backoff.first"),
        (lambda: Backoff(longest=0.01), "on_error.backoff.longest"),
        (lambda: Backoff(factor=0.5), "on_error.backoff.factor"),
    ],
)
def test_a_wrong_value_is_refused_by_name(make: Callable[[], object], name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert str(caught.value).startswith(f"{name} = ")


def test_a_backoff_that_is_no_object_of_its_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"on_error\.backoff is a dict; give a Backoff"):
        OnError(backoff={"first": 1.0})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["on_error", "leases", "table", "reading", "delivery", "health"])
def test_settings_that_are_no_object_of_their_class_are_refused(name: str) -> None:
    parts: dict[str, Any] = {name: {"duration": 5.0}}
    with pytest.raises(ConfigError, match=rf"^{name} is a dict; give a \w+, as \w+\(\.\.\.\)"):
        WorkerConfig(**parts)


def test_a_refusal_names_value_range_and_way_out() -> None:
    with pytest.raises(ConfigError) as caught:
        LeaseConfig(duration=10_000.0)

    assert str(caught.value) == (
        "leases.duration = 10000.0 is not allowed; use a number at least 3 and at most 300 "
        "(the default is 10; the unit is seconds)"
    )


def test_the_edges_of_the_ranges_are_allowed() -> None:
    LeaseConfig(duration=3.0, fence_margin=1.9, settle=0.0, scan_interval=2.0, max_leases=1)
    LeaseConfig(duration=300.0)
    PollingConfig(busy_interval=0.2, page_records=1)
    DeliveryConfig(batch_records=1, buffer_bytes=1024 * 1024, hung_after=None)
    WorkerConfig(worker_name="blue-7.eu_west", stop_grace=20.1)


def test_a_configuration_is_a_value() -> None:
    config = WorkerConfig(initial_position=AWARE, table=TableConfig(tags={"team": "data"}))

    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize(
    ("given_as", "normal"),
    [("earliest", "earliest"), ("TRIM_HORIZON", "earliest"), ("LATEST", "latest"), (AWARE, AWARE)],
)
def test_initial_positions_have_one_spelling(given_as: Any, normal: object) -> None:
    assert normalise_initial_position(given_as) == normal


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("leases.duration", "10s", 10.0),
        ("leases.duration", "10", 10.0),
        ("leases.duration", " 2m ", 120.0),
        ("leases.fence_margin", "500ms", 0.5),
        ("leases.fence_margin", "300ms", 0.3),
        ("delivery.hung_after", "1h", 3600.0),
        ("delivery.hung_after", "none", None),
        ("delivery.buffer_bytes", "64MiB", 64 * 1024 * 1024),
        ("delivery.buffer_bytes", "64 MB", 64_000_000),
        ("delivery.buffer_bytes", "2048", 2048),
        ("reading.page_records", "1_000", 1000),
        ("transport", "botocore", "botocore"),
        ("on_error.backoff.jitter", "off", False),
        ("on_error.backoff.factor", "1.5", 1.5),
        ("table.create", "True", True),
        ("table.tags", "team=data, stage=test", {"team": "data", "stage": "test"}),
        ("initial_position", "LATEST", "LATEST"),
        ("initial_position", "Earliest", "earliest"),
        ("initial_position", "2026-11-21T10:00Z", AWARE),
        ("worker_name", "blue", "blue"),
    ],
)
def test_settings_are_read_from_text(name: str, text: str, value: object) -> None:
    assert parse_setting(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("leases.duration", "ten", "a duration, as 10s"),
        ("leases.duration", "-1s", "a duration"),
        ("leases.duration", "none", "a duration"),
        ("delivery.buffer_bytes", "64 MiBit", "a size"),
        ("reading.page_records", "1.5", "a whole number"),
        ("on_error.backoff.factor", "x", "a number"),
        ("table.create", "maybe", "true or false"),
        ("table.tags", "team", "tags"),
        ("initial_position", "2026-11-21T10:00", "a time with its zone"),
        ("initial_position", "tomorrow", "earliest, latest"),
    ],
)
def test_text_that_is_no_value_is_refused(name: str, text: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=wanted):
        parse_setting(name, text)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("leases.duratoin", "did you mean 'leases.duration'?"),
        ("lease.duration", "did you mean 'leases.duration'?"),
        (
            "failoverTimeMillis",
            "the Java KCL's failoverTimeMillis is leases.duration here, in seconds",
        ),
        ("maxLeasesForWorker", "is leases.max_leases"),
        ("maxRecords", "is reading.page_records"),
        ("idleTimeBetweenReadsInMillis", "is reading.idle_interval here, in seconds"),
        ("initialPositionInStream", "is initial_position"),
        ("workerIdentifier", "is worker_name"),
        ("tableName", "is table.name"),
        ("zzz", "kcl_py.config lists all"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_right_one(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_setting(name, "1")

    assert hint in str(caught.value)


def test_settings_are_checked_together() -> None:
    changed = apply_settings(
        WorkerConfig(worker_name="blue"),
        {
            "leases.duration": "4s",
            "leases.scan_interval": "2s",
            "leases.handoff_timeout": "30s",
            "stop_grace": "40s",
            "on_error.backoff.first": "1s",
            "table.tags": "a=b",
        },
    )

    assert changed.leases == LeaseConfig(duration=4.0, scan_interval=2.0, handoff_timeout=30.0)
    assert changed.on_error == OnError(backoff=Backoff(first=1.0))
    assert changed.table.tags == {"a": "b"}
    assert changed.worker_name == "blue"
    with pytest.raises(ConfigError, match=r"leases\.duration"):
        apply_settings(changed, {"leases.duration": "1s"})


def test_the_environment_is_read_when_asked_for() -> None:
    env = {"KCL_LEASES_DURATION": "5s", "KCL_INITIAL_POSITION": "latest", "HOME": "/"}

    config = WorkerConfig.from_env({**env, "KCL_APP_NAME": "a", "KCL_STREAM": "s"})

    assert config == WorkerConfig(initial_position="latest", leases=LeaseConfig(duration=5.0))


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KCL_STOP_GRACE", "50s")

    assert WorkerConfig.from_env().stop_grace == 50.0
    assert WorkerConfig().stop_grace == 25.0


def test_an_unknown_variable_only_warns() -> None:
    with pytest.warns(UserWarning, match="KCL_LEASES_DURATOIN has no meaning here; did you mean"):
        config = WorkerConfig.from_env({"KCL_LEASES_DURATOIN": "5s"})

    assert config == WorkerConfig()


def test_variables_of_others_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WorkerConfig.from_env({"AWS_PROFILE": "x", "KCL_TEST_MOTO": "http://127.0.0.1:1"})


def leaves(config: Any, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        name = f"{prefix}{item.name}"
        found.update(leaves(value, f"{name}.") if is_dataclass(value) else {name: value})
    return found


def test_every_field_is_a_setting() -> None:
    # Exception classes and a MeterProvider have no spelling as text.
    in_code = {"on_error.give_up_on", "metrics.meter_provider"}
    assert set(known_settings()) == leaves(WorkerConfig()).keys() - in_code


def test_a_sink_is_set_by_its_url() -> None:
    named = {"on_error.then": "dead_letter", "on_error.dead_letters": "file:dead.jsonl"}

    policy = apply_settings(WorkerConfig(), named).on_error

    assert (policy.then, policy.dead_letters) == ("dead_letter", "file:dead.jsonl")


def test_no_two_settings_share_a_variable() -> None:
    names = list(known_settings())

    assert len({env_name(name) for name in names}) == len(names)


@given(st.sampled_from(list(known_settings())), st.text())
def test_any_text_is_a_value_or_a_config_error(name: str, text: str) -> None:
    try:
        apply_settings(WorkerConfig(), {name: text})
    except ConfigError as error:
        assert name in str(error)  # noqa: PT017 - either outcome is right


def test_the_outcomes_are_those_of_the_public_face() -> None:
    assert get_args(AfterAttempts) == ("retry", "pause", "dead_letter", "skip")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"metrics.sink": "opentelemetry"}, "it is called otel here"),
        ({"metrics.sink": "prometheus"}, "set health.port"),
        ({"metrics.sink": "statsd"}, "use 'cloudwatch', 'emf' or 'otel'"),
        ({"metrics.level": "DETAILED"}, "use 'none', 'summary' or 'detailed'"),
        ({"metrics.namespace": "AWS/Mine"}, "begin with neither"),
        ({"metrics.namespace": ""}, "not allowed"),
        ({"metrics.interval": "100ms"}, "at least 1"),
        ({"health.port": "70000"}, "at most 65535"),
        ({"health.file": " "}, "health.file is empty"),
    ],
)
def test_what_cannot_be_observed_so_is_refused_with_a_way_out(
    settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        apply_settings(WorkerConfig(), settings)
