"""Are processors told apart, and wrong ones refused with the way out?"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from kcl_py.errors import ConfigError
from kcl_py.processor import (
    AsyncBatch,
    AsyncRecordProcessor,
    Batch,
    RecordProcessor,
    ShardContext,
    classify,
    each_record,
)
from kcl_py.shell.user_errors import user_error
from tests.test_processor import Desk, at, records, run_of


class Sync(RecordProcessor):
    def __init__(self, dsn: str = "") -> None:
        self.dsn = dsn

    def process_records(self, batch: Batch) -> None:
        pass


class Async(AsyncRecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:
        pass


class NeedsDsn(Sync):
    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)


class CallableObject:
    def __call__(self, batch: Batch) -> None:
        pass


class AsyncCallableObject:
    async def __call__(self, batch: AsyncBatch) -> None:
        pass


def function(batch: Batch) -> None:
    batch.checkpoint()


async def async_function(batch: AsyncBatch) -> None:
    await batch.checkpoint()


def with_more(batch: Batch, *, pool: str) -> None:
    pass


@functools.wraps(function)
def wrapped(*args: Any, **kwargs: Any) -> None:
    function(*args, **kwargs)


@pytest.mark.parametrize(
    ("processor", "kind", "is_async"),
    [
        (Sync, Sync, False),
        (Async, Async, True),
        (functools.partial(NeedsDsn, dsn="x"), NeedsDsn, False),
        (functools.partial(functools.partial(NeedsDsn), "x"), NeedsDsn, False),
        (lambda: NeedsDsn("x"), NeedsDsn, None),
        (Async().__class__, Async, True),
        (function, RecordProcessor, False),
        (wrapped, RecordProcessor, False),
        (functools.partial(with_more, pool="x"), RecordProcessor, False),
        (CallableObject(), RecordProcessor, False),
        (async_function, AsyncRecordProcessor, True),
        (AsyncCallableObject(), AsyncRecordProcessor, True),
        (functools.partial(async_function), AsyncRecordProcessor, True),
        (each_record(lambda record: None), RecordProcessor, None),
    ],
)
def test_a_processor_is_told_apart_by_its_required_arguments(
    processor: object, kind: type, is_async: object
) -> None:
    maker = classify(processor)

    one, other = maker.make(), maker.make()

    assert maker.is_async is is_async
    assert isinstance(one, kind)
    assert one is not other
    assert one.checkpointing == "auto"


def test_a_function_of_a_batch_is_called_with_it() -> None:
    desk = Desk()
    processor = classify(function).make()
    assert isinstance(processor, RecordProcessor)
    batch = Batch(ShardContext(run_of(desk)), records(1, 2))
    list(batch)

    processor.process_records(batch)

    assert desk.asked[0][1] == at(2)


class Plain:
    pass


class NothingToDo(RecordProcessor):
    pass


class Mixed(RecordProcessor):
    async def process_records(self, batch: AsyncBatch) -> None:  # type: ignore[override]
        pass


class MixedAsync(Async):
    def close(self) -> None:  # type: ignore[override]
        pass


class Both(RecordProcessor, AsyncRecordProcessor):  # type: ignore[misc]
    pass


class Generator(RecordProcessor):
    def process_records(self, batch: Batch) -> None:  # type: ignore[misc]
        yield


class Odd(Sync):
    checkpointing: ClassVar[Any] = "sometimes"


class Hurried(Sync):
    idle_after: ClassVar[float | None] = 0.0


async def async_maker() -> RecordProcessor:
    return Sync()


def generator(batch: Batch) -> Any:
    yield from batch


@pytest.mark.parametrize(
    ("processor", "says"),
    [
        (Sync(), "one object of Sync"),
        (None, "nothing"),
        ("app:Sync", "object of str"),
        (Plain, "Plain is a class, but no processor"),
        (NeedsDsn, "functools.partial(NeedsDsn, dsn=...)"),
        (NothingToDo, "no process_records"),
        (Mixed, "process_records is async def in a RecordProcessor"),
        (MixedAsync, "close is a plain def in an AsyncRecordProcessor"),
        (Both, "choose one"),
        (Generator, "generator"),
        (generator, "generator"),
        (Odd, "'auto' or 'explicit'"),
        (Hurried, "idle_after"),
        (async_maker, "takes no argument"),
        (with_more, "pool"),
        (lambda one, two: None, "one, two"),
        (lambda *, batch: None, "bind"),
        (lambda *rest: None, "functools.wraps"),
    ],
)
def test_anything_else_is_refused_with_the_way_out(processor: object, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        classify(processor)

    assert says in str(refused.value)


class LikeAmazonKclpyOne(RecordProcessor):
    def process_records(self, records: Any, checkpointer: Any) -> None:  # type: ignore[override]
        pass


class LikeALambda(RecordProcessor):
    def process_records(self) -> None:  # type: ignore[override]
        pass


class AsksForMore(Sync):
    def initialize(self, shard_id: Any, *, sequence_number: Any) -> None:  # type: ignore[override]
        pass


class ClosesSomething(Sync):
    def close(self, shard: Any) -> None:  # type: ignore[override]
        pass


def test_other_arguments_than_a_method_is_called_with_are_refused_at_once() -> None:
    for kind, says in (
        (LikeAmazonKclpyOne, "write process_records(self, batch)"),
        (LikeALambda, "LikeALambda.process_records(self) is called with other arguments"),
        (AsksForMore, "write initialize(self, shard)"),
        (ClosesSomething, "write close(self)"),
    ):
        with pytest.raises(ConfigError, match=re.escape(says)):
            classify(kind)


class LikeAmazonKclpyTwo(Sync):
    def shutdown(self, shutdown_input: Any) -> None:
        pass


class HasAHelper(Sync):
    def shutdown(self) -> None:
        pass


def test_a_shutdown_that_nobody_would_call_is_told_of() -> None:
    with pytest.warns(UserWarning, match="LikeAmazonKclpyTwo.shutdown is never called"):
        classify(LikeAmazonKclpyTwo)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classify(HasAHelper)


def counted(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapper(self: Any, *given: Any) -> Any:
        return method(self, *given, "more")

    return wrapper


class Fine(RecordProcessor):
    def initialize(self, context: Any, limit: int = 3) -> None:
        pass

    @counted
    def process_records(self, batch: Batch, more: str) -> None:
        pass

    @staticmethod
    def lease_lost(shard: ShardContext) -> None:
        pass

    def shard_ended(self, *given: Any, **named: Any) -> None:
        pass


def test_other_names_defaults_and_decorators_are_fine() -> None:
    assert isinstance(classify(Fine).make(), Fine)


@pytest.mark.parametrize(
    ("maker", "says"),
    [
        (lambda: None, "made nothing"),
        (lambda: Sync, "made an object of type"),
        (lambda: NothingToDo(), "no process_records"),  # noqa: PLW0108 - a class is told at once
    ],
)
def test_what_a_maker_makes_is_checked(maker: Callable[[], Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        classify(maker).make()

    assert says in str(refused.value)


def test_what_was_made_in_the_place_of_a_processor_is_logged() -> None:
    with pytest.raises(ConfigError) as refused:
        classify(lambda: None).make()

    told = user_error(refused.value, is_fenced=False)
    assert "made nothing, which is no processor" in told.summary


def test_a_plain_function_that_returns_a_coroutine_is_an_error_and_no_silence() -> None:
    async def later() -> None:
        pass

    pending = later()
    processor = classify(lambda batch: pending).make()
    assert isinstance(processor, RecordProcessor)

    with pytest.raises(TypeError, match="async def"):
        processor.process_records(Batch(ShardContext(run_of(Desk())), records(1, 1)))
    pending.close()
