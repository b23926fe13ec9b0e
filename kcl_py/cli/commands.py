"""How does a function become a command? It is given the flags that all commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Concatenate, ParamSpec, cast, get_type_hints

from kcl_py.cli.logs import configure
from kcl_py.cli.options import Shared

_P = ParamSpec("_P")


def with_shared(function: Callable[Concatenate[Shared, _P], int]) -> Callable[..., int]:
    """Make a command of a function that takes `Shared` first."""
    hints = get_type_hints(Shared, include_extras=True)
    added = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(Shared)
    ]
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    kept = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def command(**values: Any) -> int:  # noqa: ANN401 - whatever the flags are
        shared = Shared(**{field.name: values.pop(field.name) for field in fields(Shared)})
        said = shared.file()
        shared = replace(shared, app=shared.app or said.app, stream=shared.stream or said.stream)
        configure(shared)
        # typer calls by name, which a ParamSpec cannot say.
        return cast("Callable[..., int]", function)(shared, **values)

    command.__doc__ = function.__doc__
    command.__name__ = getattr(function, "__name__", "command")
    every = kept + added
    command.__annotations__ = {item.name: item.annotation for item in every} | {"return": int}
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]  # typer reads it
    return command
