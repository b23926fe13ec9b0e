"""Which object does `package.module:thing` name? And if none, what is wrong with it?"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast

from kcl_py.cli.errors import nearest
from kcl_py.errors import ConfigError

if TYPE_CHECKING:
    from kcl_py.processor import ProcessorLike


def load(spec: str) -> ProcessorLike:
    """Import what a spec names; the current directory is importable.

    Args:
        spec: `package.module:thing`; the thing may have dots.

    Raises:
        ConfigError: Says which part of the spec is wrong, and why.
    """
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise ConfigError(
            f"processor {spec!r} is not of the form package.module:thing, as people.app:Average"
        )
    value: object = _import(module_name)
    for name in path.split("."):
        value = _attribute(value, name, spec)
    if not callable(value):
        raise ConfigError(
            f"processor {spec!r} is a {type(value).__name__}, which cannot be called; "
            "name a RecordProcessor class, a factory of one, or a function of a batch"
        )
    # What is called how is checked by whoever takes it.
    return cast("ProcessorLike", value)


def _import(name: str) -> ModuleType:
    here = os.getcwd()  # noqa: PTH109 - a string is what sys.path holds
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(missing + "."):
            raise ConfigError(
                f"there is no module {missing!r}, neither in {here} nor installed; "
                f"check the spelling, or run from the directory that holds it{_near_file(missing)}"
            ) from error
        raise ConfigError(
            f"module {name!r} needs {missing!r}, which is not installed; install it"
        ) from error
    except SyntaxError as error:
        raise ConfigError(
            f"module {name!r} has a syntax error: {error.msg} ({error.filename}, "
            f"line {error.lineno})"
        ) from error
    except SystemExit as error:
        raise ConfigError(
            f"module {name!r} ends the program when it is imported (SystemExit: {error.code}); put "
            "what it runs behind if __name__ == '__main__':"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"module {name!r} fails when it is imported: {type(error).__name__}: {error}; "
            "--debug shows where"
        ) from error


def _attribute(value: object, name: str, spec: str) -> object:
    try:
        return getattr(value, name)
    except AttributeError:
        where = getattr(value, "__name__", type(value).__name__)
        raise ConfigError(
            f"processor {spec!r}: {where} has no {name!r}{nearest(name, _public(value))}"
        ) from None


def _public(value: object) -> Sequence[str]:
    return [name for name in dir(value) if not name.startswith("_")]


def _near_file(module: str) -> str:
    """A file here whose name is nearly that."""
    names = [os.path.splitext(entry)[0] for entry in os.listdir() if entry.endswith(".py")]  # noqa: PTH122, PTH208
    return nearest(module, names)
