"""Where does what user code said go to? To whoever asks for the status, never into a log."""

from __future__ import annotations

from kcl_py.config import OnError, WorkerConfig
from kcl_py.core.events import UserError
from tests.core.consumer.house import KEY, House


def test_the_message_of_an_error_is_shown_in_status_and_kept_out_of_every_report() -> None:
    policy = OnError(attempts=1, then="pause")
    house = House(config=WorkerConfig(on_error=policy))
    house.start(3)

    house.returns(
        problem=UserError(kind="error", summary="ValueError at sink.py:7", detail="ValueError: bob")
    )

    assert house.consumers.status(house.now)[KEY].last_error == "ValueError: bob"
    assert house.names()["shard.paused"] == 1
    assert not any("bob" in str(report.fields) for report in house.reports)
