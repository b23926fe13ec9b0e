"""What if there is a bug in a producer, or nobody ever reads what it hands back?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kcl_py.core.puts import Outgoing, PutSaid
from kcl_py.errors import KclError
from kcl_py.producer.config import ProducerConfig
from kcl_py.producer.core.kept import Kept
from kcl_py.producer.deliveries import ThreadDelivery
from kcl_py.producer.engine import Engine
from kcl_py.producer.results import PutFailure

QUICK = ProducerConfig(linger=0.0)


class BrokenPort:
    def __init__(self) -> None:
        self.closes = 0

    def put(self, units: Sequence[Outgoing], /) -> PutSaid:
        raise ZeroDivisionError("a bug")

    def list_shards(self) -> Any:
        raise ZeroDivisionError("a bug")

    def close(self) -> None:
        self.closes += 1


def engine_of(port: Any, hook: Callable[[PutFailure], None] | None = None) -> Engine:
    return Engine(QUICK, port, on_failure=hook)


def item_of(engine: Engine) -> ThreadDelivery:
    item = ThreadDelivery(b"x", "k", None, 2)
    item.engine = engine
    return item


def test_a_bug_hands_everything_back_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    port = BrokenPort()
    engine = engine_of(port)
    item = item_of(engine)
    engine.put_waiting(item)
    engine.wait_for(item, 30.0)

    assert isinstance(item.outcome, Kept)
    assert item.outcome.failure.error_code == "ProducerBroken"
    assert item.outcome.failure.data == b"x"
    with pytest.raises(KclError, match="for a bug"):
        engine.put(item_of(engine))
    assert [failure.data for failure in engine.close(None)] == [b"x"]
    assert engine.close(None) == []
    assert port.closes == 2
    assert [record.message for record in caplog.records] == ["producer.broken"]


def test_a_hook_hears_of_it_too() -> None:
    told: list[PutFailure] = []
    engine = engine_of(BrokenPort(), told.append)
    item = item_of(engine)
    engine.put_waiting(item)
    engine.wait_for(item, 30.0)
    engine.flush(30.0)

    assert [failure.error_code for failure in told] == ["ProducerBroken"]
    assert engine.close(None) == []
