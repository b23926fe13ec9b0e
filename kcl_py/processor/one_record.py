"""How does a function of one record become a processor?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any, cast, overload

from kcl_py.errors import LeaseLost, RecordFailed
from kcl_py.processor.lifecycle import AsyncRecordProcessor, RecordProcessor
from kcl_py.records import Record

if TYPE_CHECKING:
    from kcl_py.processor.batches import AsyncBatch, Batch


class _EachRecord(RecordProcessor):
    def __init__(self, function: Callable[[Record], object]) -> None:
        self._function = function

    def process_records(self, batch: Batch) -> None:
        for record in batch:
            try:
                result = self._function(record)
            except (LeaseLost, RecordFailed):
                raise
            except Exception as error:
                raise RecordFailed(record) from error
            if isawaitable(result):
                raise TypeError(
                    f"{_name(self._function)} returned an awaitable; make it `async def`"
                )


class _AsyncEachRecord(AsyncRecordProcessor):
    def __init__(self, function: Callable[[Record], Coroutine[Any, Any, None]]) -> None:
        self._function = function

    async def process_records(self, batch: AsyncBatch) -> None:
        for record in batch:
            try:
                await self._function(record)
            except (LeaseLost, RecordFailed):
                raise
            except Exception as error:
                raise RecordFailed(record) from error


class _Maker:
    """Makes processors; a name of its own, so that messages say which function it was."""

    def __init__(
        self,
        kind: Callable[[Any], RecordProcessor | AsyncRecordProcessor],
        function: Callable[[Record], object],
    ) -> None:
        self._kind = kind
        self._function = function
        self.__name__ = _name(function)
        self.__doc__ = function.__doc__

    def __call__(self) -> RecordProcessor | AsyncRecordProcessor:
        return self._kind(self._function)

    def __repr__(self) -> str:
        return f"<each_record of {self.__name__}>"


@overload
def each_record(
    function: Callable[[Record], Coroutine[Any, Any, None]], /
) -> Callable[[], AsyncRecordProcessor]: ...
@overload
def each_record(function: Callable[[Record], None], /) -> Callable[[], RecordProcessor]: ...
def each_record(
    function: Callable[[Record], object], /
) -> Callable[[], RecordProcessor] | Callable[[], AsyncRecordProcessor]:
    """Make a processor of a function of one record. Decorator too.

    Records before a failing one are finished, so a retry and a dead letter name exactly one record.
    """
    if is_async(function):
        return cast("Callable[[], AsyncRecordProcessor]", _Maker(_AsyncEachRecord, function))
    return cast("Callable[[], RecordProcessor]", _Maker(_EachRecord, function))


def is_async(function: Callable[..., object]) -> bool:
    """Say whether calling it makes a coroutine: `async def`, or a partial or object of one."""
    return iscoroutinefunction(function) or iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - what it is, not whether it is
    )


def _name(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
