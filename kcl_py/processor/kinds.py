"""What was given as `processor=`? Something that makes processors, or a function of one batch.

Told apart by the number of required arguments: none makes a processor (a class, a partial, a lambda
with what it needs bound), one is the processor. Anything else is refused before the worker starts.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Coroutine
from functools import partial
from inspect import Parameter
from typing import Any, TypeAlias

from kcl_py.errors import ConfigError
from kcl_py.processor.batches import AsyncBatch, Batch
from kcl_py.processor.lifecycle import METHODS, AsyncRecordProcessor, RecordProcessor
from kcl_py.processor.one_record import is_async

AnyProcessor: TypeAlias = RecordProcessor | AsyncRecordProcessor
ProcessorLike: TypeAlias = (
    Callable[[], AnyProcessor]
    | Callable[[Batch], None]
    | Callable[[AsyncBatch], Coroutine[Any, Any, None]]
)
"""Told apart by the number of required arguments: none makes a processor (a class, a partial, a
lambda with what it needs bound), one is the processor (auto-checkpointed). Anything else is refused
when the Worker is made."""


class NothingMade(ConfigError):
    """What should make processors made something else, or nothing."""


class ProcessorMaker:
    """Makes one fresh processor object per run.

    Attributes:
        name: For messages.
        is_async: Whether it makes async processors; None: known only once there is an object.
    """

    def __init__(self, name: str, make: Callable[[], object], *, is_async: bool | None) -> None:
        self.name = name
        self.is_async = is_async
        self._make = make

    def make(self) -> AnyProcessor:
        """Make a fresh object; whatever user code raises passes through.

        Raises:
            NothingMade: What was made is no processor.
            ConfigError: It is one that cannot be used.
        """
        made = self._make()
        if not isinstance(made, RecordProcessor | AsyncRecordProcessor):
            raise NothingMade(
                f"{self.name} made {_a_kind(made)}, which is no processor; return an object of a "
                "subclass of RecordProcessor or AsyncRecordProcessor, or take one argument, the "
                "batch, to be the processor"
            )
        _check_class(type(made))
        _check_traits(made, type(made).__name__)
        return made

    def __call__(self) -> AnyProcessor:
        """As `make`, so that what wraps a processor may be given as one."""
        return self.make()

    def __repr__(self) -> str:
        return f"<ProcessorMaker {self.name}>"


class _FunctionProcessor(RecordProcessor):
    def __init__(self, function: Callable[[Batch], object]) -> None:
        self._function = function

    def process_records(self, batch: Batch) -> None:
        result = self._function(batch)
        if inspect.isawaitable(result):
            raise TypeError(f"{_name(self._function)} returned an awaitable; make it `async def`")


class _AsyncFunctionProcessor(AsyncRecordProcessor):
    def __init__(self, function: Callable[[AsyncBatch], Coroutine[Any, Any, None]]) -> None:
        self._function = function

    async def process_records(self, batch: AsyncBatch) -> None:
        await self._function(batch)


def classify(processor: object) -> ProcessorMaker:
    """Find out how to make processors of what the user gave.

    Raises:
        ConfigError: It is neither a maker nor a function of one batch; the message says why.
    """
    if isinstance(processor, ProcessorMaker):
        return processor
    name = _name(processor)
    if isinstance(processor, RecordProcessor | AsyncRecordProcessor):
        kind = type(processor).__name__
        raise ConfigError(
            f"processor= got one object of {kind}, but every shard needs its own; give the class, "
            f"functools.partial({kind}, ...) or lambda: {kind}(...)"
        )
    if not callable(processor):
        raise ConfigError(
            f"processor= got {_a_kind(processor)}; give a class, a function of one batch, or "
            "something that makes a processor"
        )
    made = _made_class(processor)
    required = _required(processor, name)
    if made is not None:
        return _of_class(processor, made, required)
    _refuse_generators(processor, name)
    if not required:
        if is_async(processor):
            raise ConfigError(
                f"{name} is `async def` and takes no argument; a maker of processors is a plain "
                "function, and a processor takes one argument, the batch"
            )
        return ProcessorMaker(name, processor, is_async=None)
    if len(required) > 1 or required[0].kind is Parameter.KEYWORD_ONLY:
        raise ConfigError(
            f"{name} requires {len(required)} arguments ({_names(required)}); a processor takes "
            "one, the batch, and a maker none: bind the others with functools.partial"
        )
    if is_async(processor):
        return ProcessorMaker(name, partial(_AsyncFunctionProcessor, processor), is_async=True)
    return ProcessorMaker(name, partial(_FunctionProcessor, processor), is_async=False)


def _of_class(
    processor: Callable[..., object], made: type, required: list[Parameter]
) -> ProcessorMaker:
    if not issubclass(made, RecordProcessor | AsyncRecordProcessor):
        raise ConfigError(
            f"{made.__name__} is a class, but no processor; derive it from RecordProcessor or "
            "AsyncRecordProcessor"
        )
    _check_class(made)
    _check_traits(made, made.__name__)
    _warn_of_shutdown(made)
    if required:
        raise ConfigError(
            f"{made.__name__} cannot be made without {_names(required)}; bind what it needs: "
            f"functools.partial({made.__name__}, {required[0].name}=...)"
        )
    return ProcessorMaker(made.__name__, processor, is_async=issubclass(made, AsyncRecordProcessor))


def _made_class(processor: object) -> type | None:
    while isinstance(processor, partial):
        processor = processor.func
    return processor if isinstance(processor, type) else None


def _required(processor: Callable[..., object], name: str) -> list[Parameter]:
    try:
        parameters = inspect.signature(processor).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            f"{name} does not say which arguments it takes; wrap it in a function of one batch"
        ) from None
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is Parameter.empty
        and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
    takes_any = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters)
    if takes_any and not needed and _made_class(processor) is None:
        raise ConfigError(
            f"{name} takes any number of arguments, so nobody can tell whether it is a processor "
            "or makes one; use functools.wraps in its decorator, or name its argument"
        )
    return needed


def _refuse_generators(processor: Callable[..., object], name: str) -> None:
    if inspect.isgeneratorfunction(processor) or inspect.isasyncgenfunction(processor):
        raise ConfigError(f"{name} is a generator, which would never run; take the `yield` out")


def _check_class(kind: type[AnyProcessor]) -> None:
    base = AsyncRecordProcessor if issubclass(kind, AsyncRecordProcessor) else RecordProcessor
    name = kind.__name__
    if issubclass(kind, RecordProcessor) and issubclass(kind, AsyncRecordProcessor):
        raise ConfigError(f"{name} is a RecordProcessor and an AsyncRecordProcessor; choose one")
    if kind.process_records is base.process_records:
        raise ConfigError(f"{name} has no process_records; that one method is required")
    for method in METHODS:
        function = getattr(kind, method)
        _refuse_generators(function, f"{name}.{method}")
        _refuse_other_arguments(kind, method)
        if iscoroutine(function) is not (base is AsyncRecordProcessor):
            raise ConfigError(
                f"{name}.{method} is a plain def in an AsyncRecordProcessor; make it async def, "
                f"or derive {name} from RecordProcessor"
                if base is AsyncRecordProcessor
                else f"{name}.{method} is async def in a RecordProcessor; make it a plain def, "
                f"or derive {name} from AsyncRecordProcessor"
            )


def _refuse_other_arguments(kind: type[AnyProcessor], method: str) -> None:
    """Refuse a method that cannot be called as it will be, before a record shows that."""
    function = inspect.getattr_static(kind, method)
    if not inspect.isfunction(function):
        return
    signature = inspect.signature(function, follow_wrapped=False)
    gets = {"process_records": ("batch",), "close": ()}.get(method, ("shard",))
    try:
        signature.bind(object(), *gets)
    except TypeError:
        raise ConfigError(
            f"{kind.__name__}.{method}({', '.join(signature.parameters)}) is called with other "
            f"arguments; write {method}({', '.join(('self', *gets))}) (what became of those of "
            "amazon_kclpy: docs/how-to/migrate-from-the-kcl.md)"
        ) from None


def _warn_of_shutdown(kind: type[AnyProcessor]) -> None:
    """In the KCL before version 3 `shutdown(input)` flushes and ends a shard; here nobody calls it.

    One without arguments is a helper of the class's own.
    """
    function = inspect.getattr_static(kind, "shutdown", None)
    if inspect.isfunction(function) and len(inspect.signature(function).parameters) > 1:
        warnings.warn(
            f"{kind.__name__}.shutdown is never called; what it does for the reason TERMINATE "
            "belongs into shard_ended, for ZOMBIE into lease_lost, and what must be flushed before "
            "a move into shutdown_requested",
            stacklevel=4,
        )


def _check_traits(processor: AnyProcessor | type[AnyProcessor], name: str) -> None:
    if processor.checkpointing not in ("auto", "explicit"):
        raise ConfigError(
            f"{name}.checkpointing = {processor.checkpointing!r} is unknown; "
            "use 'auto' or 'explicit'"
        )
    idle = processor.idle_after
    if idle is not None and idle <= 0:
        raise ConfigError(
            f"{name}.idle_after = {idle!r} is not allowed; use seconds above 0, or None"
        )


def iscoroutine(function: Callable[..., object]) -> bool:
    """Say whether a method, or what it wraps, is `async def`."""
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or is_async(function)


def _a_kind(value: object) -> str:
    return "nothing" if value is None else f"an object of {type(value).__name__}"


def _name(value: object) -> str:
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or repr(value)


def _names(parameters: list[Parameter]) -> str:
    return ", ".join(parameter.name for parameter in parameters)
