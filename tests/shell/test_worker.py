"""How does a program run a worker? What is refused, what is promised, without any network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading

import pytest

from kcl_py import ConfigError, StreamNotFound, Worker, WorkerConfig
from kcl_py.companions import Watched
from kcl_py.config import TableConfig
from kcl_py.local import Engine
from kcl_py.processor import Batch, RecordProcessor
from kcl_py.status import WorkerEvent


def nothing(batch: Batch) -> None:
    """Process nothing."""


def worker(**other: object) -> Worker:
    arguments: dict[str, object] = {"app_name": "demo", "stream": "people", "processor": nothing}
    return Worker(**{**arguments, **other})  # type: ignore[arg-type]  # wrong ones are the point


# ---------------------------------------------------------------------------- what needs no network


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"app_name": ""}, "app_name"),
        ({"app_name": "ab"}, "app_name"),
        ({"app_name": "with space"}, "app_name"),
        ({"app_name": "x" * 256}, "app_name"),
        ({"app_name": None}, "app_name"),
        ({"config": {"leases": {"duration": 5}}}, "config is a dict; give a WorkerConfig"),
        ({"stream": "a/b"}, "stream"),
        ({"stream": "arn:aws:s3:::bucket"}, "stream"),
        ({"processor": lambda one, two: None}, "two"),
        ({"processor": 3}, "processor"),
        ({"processor": type("Plain", (), {})}, "Plain"),
        ({"processor": type("NoMethod", (RecordProcessor,), {})}, "process_records"),
        ({"on_event": "print"}, "on_event"),
        ({"session": object(), "client_factory": lambda service, config: None}, "client_factory"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_worker_is_made(
    arguments: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        worker(**arguments)


def test_a_short_app_name_is_fine_when_the_table_has_its_own() -> None:
    worker(app_name="a", config=WorkerConfig(table=TableConfig(name="leases")))


def test_the_id_is_readable_and_never_the_same_twice() -> None:
    config = WorkerConfig(worker_name="alpha")
    ids = {worker(config=config).worker_id for _ in range(50)}

    assert len(ids) == 50
    assert all(one.startswith(f"alpha-{os.getpid()}-") for one in ids)


def test_the_environment_is_read_only_when_asked() -> None:
    env = {"KCL_APP_NAME": "demo", "KCL_STREAM": "people", "KCL_WORKER_NAME": "alpha"}

    assert Worker.from_env(nothing, env=env).worker_id.startswith("alpha-")
    with pytest.raises(ConfigError, match="KCL_STREAM"):
        Worker.from_env(nothing, env={"KCL_APP_NAME": "demo"})


def test_a_worker_that_was_not_started_is_new_and_can_be_joined() -> None:
    idle = worker()

    assert idle.status().state == "new"
    assert idle.join(0)


def test_a_stop_asked_before_the_start_ends_it_before_anything_is_connected() -> None:
    def refuse(service: object, config: object) -> object:
        raise AssertionError("connected")

    one = worker(client_factory=refuse)
    one.request_stop()
    one.run()

    assert one.status().state == "stopped"


def test_a_worker_runs_once() -> None:
    one = worker()
    one.request_stop()
    one.run()

    with pytest.raises(RuntimeError, match="once"):
        one.run()
    with pytest.raises(RuntimeError, match="once"):
        asyncio.run(one.run_async())


class Beside:
    """A companion that notes its calls in a list shared with others."""

    def __init__(self, name: str, calls: list[str], *, refuses: bool = False) -> None:
        self.name, self.calls, self.refuses = name, calls, refuses

    def start(self, worker: Watched) -> None:
        self.calls.append(f"{self.name} starts beside a {worker.status().state} worker")
        if self.refuses:
            raise ConfigError("port 80 is taken")

    def hear(self, event: WorkerEvent) -> None:
        self.calls.append(f"{self.name} hears {event.name}")

    def close(self) -> None:
        self.calls.append(f"{self.name} ends")


def test_companions_live_as_long_as_the_worker() -> None:
    calls: list[str] = []
    one = worker(companions=[Beside("a", calls), Beside("b", calls)])
    one.request_stop()
    one.run()

    assert calls == [
        "a starts beside a new worker",
        "b starts beside a new worker",
        "a ends",
        "b ends",
    ]


def test_a_companion_that_refuses_refuses_the_start_and_those_before_it_are_closed() -> None:
    calls: list[str] = []
    one = worker(companions=[Beside("a", calls), Beside("b", calls, refuses=True)])
    with pytest.raises(ConfigError, match="port 80"):
        one.start()

    assert calls[2:] == ["a ends"]
    assert one.status().state == "new"
    assert one.join(0) is True


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_use_after_a_fork_is_refused() -> None:
    one = worker()
    for use in (
        one.start,
        one.run,
        one.join,
        one.stop,
        one.request_stop,
        one.status,
        one.__enter__,
    ):
        child = os.fork()
        if child == 0:
            try:
                use()
            except RuntimeError as error:
                os._exit(42 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42, use


def test_what_goes_wrong_in_set_up_is_raised_by_whoever_waits() -> None:
    def broken(service: object, config: object) -> object:
        raise ConfigError("no region")

    with pytest.raises(ConfigError, match="no region"):
        worker(client_factory=broken).run()
    with pytest.raises(ConfigError, match="no region"):
        asyncio.run(worker(client_factory=broken).run_async())
    with (
        pytest.raises(ConfigError, match="no region"),
        worker(client_factory=broken) as one,
        contextlib.suppress(ConfigError),
    ):
        one.join()
    started = worker(client_factory=broken)
    started.start()
    with pytest.raises(ConfigError, match="no region"):
        started.join()
    assert started.status().state == "failed"


def test_leaving_the_block_in_an_exception_does_not_hide_it() -> None:
    def broken(service: object, config: object) -> object:
        raise ConfigError("no region")

    with pytest.raises(KeyError), worker(client_factory=broken):
        raise KeyError


def test_a_bug_in_set_up_is_raised_too() -> None:
    def broken(service: object, config: object) -> object:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        worker(client_factory=broken).run()


# -------------------------------------------------------------------------------- with the engine


def test_a_missing_stream_is_an_error_of_set_up() -> None:
    with Engine() as engine, pytest.raises(StreamNotFound, match="people"):
        worker(config=engine.config(), session=engine.session()).run()


def test_a_stop_while_waiting_for_the_stream_is_a_clean_stop() -> None:
    with Engine() as engine:
        kinesis = engine.session().client("kinesis")
        kinesis.create_stream(StreamName="people", ShardCount=1)
        waiting = threading.Event()

        def on_event(event: object) -> None:
            waiting.set()

        one = worker(config=engine.config(), session=engine.session(), on_event=on_event)
        one.start()
        waiting.wait(1)
        one.stop(10)

        assert one.status().state == "stopped"


def test_a_refusal_is_what_is_raised_whatever_those_do_that_are_closed_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Clumsy(Beside):
        def close(self) -> None:
            super().close()
            raise ZeroDivisionError

    calls: list[str] = []
    one = worker(
        companions=[Beside("a", calls), Clumsy("b", calls), Beside("c", calls, refuses=True)]
    )
    with pytest.raises(ConfigError):
        one.run()

    assert calls[-2:] == ["b ends", "a ends"]
    assert [each.message for each in caplog.records] == ["companion.failed"]


def test_companions_are_closed_if_the_worker_gets_no_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("kcl_py.worker.Shell", refuse)
    calls: list[str] = []
    with pytest.raises(RuntimeError, match="new thread"):
        worker(companions=[Beside("a", calls)]).run()

    assert calls[-1] == "a ends"
