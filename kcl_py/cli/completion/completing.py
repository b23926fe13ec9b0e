"""What could follow on a line that is being typed? A shell asks, and shows what is printed.

The shell hands over the line up to the cursor, in a variable; `kcl completion` prints the functions
that do. The first line of the answer says what else could stand there (`Kind`), each further one is
a value. Whatever goes wrong, nothing is said: the reader is in the middle of a line.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shlex
import sys
import termios
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from kcl_py.cli.completion.suggestions import Asked, Kind, Value, suggested
from kcl_py.cli.options import Shared

SHELL: Final = "_KCL_COMPLETE"
"""Variable: bash, zsh or fish asks. It has to be set for all the others to mean something."""

LINE: Final = "_KCL_LINE"
"""Variable: what is typed, up to the cursor."""

WORD: Final = "_KCL_WORD"
"""Variable: what bash takes for the word at the cursor. It ends words at = and : too."""

HARMLESS: Final = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
"""What stands for itself in every shell; no other value is offered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What could follow."""

    kind: Kind = Kind.NOTHING_ELSE
    values: tuple[Value, ...] = ()


def answer(make: Callable[[Collection[str]], Any], environment: Mapping[str, str]) -> int:
    """Print what could follow.

    Args:
        make: Makes the command line, of click, with these commands in full.
        environment: Has the variables above.
    """
    try:
        with (
            Path(os.devnull).open("w", encoding="utf-8") as nowhere,
            contextlib.redirect_stderr(nowhere),
        ):
            words = words_of(environment.get(LINE, ""))
            found = could_follow(make(set(words)), words)
            text = _told(found, words[-1], environment)
    except Exception:  # noqa: BLE001 - as said above
        return 1
    sys.stdout.write(text)
    return 0


def leave_terminal() -> None:
    """Whoever asks for a password, such as a program that finds credentials, has nobody to ask.

    For a process of its own: otherwise it would ask in the middle of the reader's line.
    """
    if os.getsid(0) == os.getpid():
        return  # of such a one the system would take the whole session away
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)


def words_of(line: str) -> list[str]:
    """Split what is typed behind the name of the program; the last word is the one at the cursor.

    A quote may still be open.
    """
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        words.append(lexer.token)
    else:
        if not words or (line[-1:].isspace() and not words[-1][-1:].isspace()):
            words.append("")
    while len(words) > 1 and re.match(r"\w+=", words[0]):
        del words[0]  # NAME=VALUE before a command is for its environment
    return words[1:] or [""]


def could_follow(command: Any, words: Sequence[str]) -> Answer:  # noqa: ANN401 - of click
    """Say what could stand in the place of the last word.

    Args:
        command: Of click; the whole command line.
        words: Behind the name of the program, one at least.
    """
    command, [*done, begun] = _innermost(command, words)
    if command is None:
        return Answer()
    is_literal = "--" in done
    options = {
        name: each for each in command.params if not _is_argument(each) for name in each.opts
    }
    waiting = options.get(done[-1]) if done and not is_literal else None
    if waiting is not None and not waiting.is_flag:
        return _values(command, waiting, done[:-1], begun)
    if begun.startswith("-") and not is_literal:
        name, equals, value = begun.partition("=")
        if not equals:
            return Answer(values=tuple(_names(command, done, begun)))
        if name not in options or options[name].is_flag:
            return Answer()
        found = _values(command, options[name], done, value)
        return Answer(found.kind, tuple(each.behind(f"{name}=") for each in found.values))
    if hasattr(command, "commands"):
        known = (each for each in command.commands.items() if not each[1].hidden)
        summaries = (Value(name, each.help or "") for name, each in known)
        return Answer(values=_beginning(begun, summaries))
    return _argument(command, done, begun)


def _innermost(command: Any, words: Sequence[str]) -> tuple[Any, Sequence[str]]:  # noqa: ANN401
    """The command that is typed, None if there is no such, and what stands behind it."""
    for number, word in enumerate(words[:-1]):
        if hasattr(command, "commands") and not word.startswith("-"):
            return _innermost(command.commands.get(word), words[number + 1 :])
    return command, words


def _is_argument(parameter: Any) -> bool:  # noqa: ANN401
    return bool(parameter.param_type_name == "argument")


def _names(command: Any, done: Sequence[str], begun: str) -> Iterable[Value]:  # noqa: ANN401
    for each in command.params:
        is_there = not each.multiple and any(name in done for name in each.opts)
        if not _is_argument(each) and not each.hidden and not is_there:
            yield from _beginning(begun, (Value(name, each.help or "") for name in each.opts))


def _argument(command: Any, done: Sequence[str], begun: str) -> Answer:  # noqa: ANN401
    context = _context(command, done)
    for each in command.params:
        if _is_argument(each):
            source = context.get_parameter_source(each.name)
            is_there = source is not None and source.name == "COMMANDLINE"
            if each.nargs == -1 or not is_there:
                return _values(command, each, done, begun)
    return Answer()


def _context(command: Any, done: Sequence[str]) -> Any:  # noqa: ANN401
    """What is typed already; what is wrong or missing in it does not matter."""
    return command.make_context(command.name, list(done), resilient_parsing=True)


def _values(command: Any, parameter: Any, done: Sequence[str], begun: str) -> Answer:  # noqa: ANN401
    context = _context(command, done)
    typed = context.params
    asked = Asked(
        shared=Shared(**{each.name: typed[each.name] for each in fields(Shared)}),
        command=str(command.name),
        given=tuple(_given(command, typed)),
        begun=begun,
    )
    names = (*parameter.opts, parameter.metavar or "")
    found = suggested(names, asked)
    if found is None:
        items = parameter.shell_complete(context, begun)
        found = [Value(str(item.value), item.help or "") for item in items if item.type == "plain"]
    if isinstance(found, Kind):
        return Answer(found)
    return Answer(values=_beginning(begun, found))


def _given(command: Any, typed: Mapping[str, Any]) -> Iterable[str]:  # noqa: ANN401
    """The arguments that are typed, in order."""
    for each in command.params:
        value = typed.get(each.name)
        if _is_argument(each) and value is not None:
            yield from map(str, value if isinstance(value, list | tuple) else [value])


def _beginning(begun: str, values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(each for each in values if each.text.startswith(begun))


# ------------------------------------------------------------------------------------------ telling


def _told(found: Answer, begun: str, environment: Mapping[str, str]) -> str:
    line_of = _LINES[environment[SHELL]]
    cut = 0
    if WORD in environment and begun.endswith(environment[WORD]):
        cut = len(begun) - len(environment[WORD])
    offered = (each for each in found.values if HARMLESS.fullmatch(each.text))
    # What is typed in full and goes on, as at:, would be ended by a space.
    lines = [line_of(each, cut) for each in offered if len(each.text) > len(begun)]
    return "".join(f"{line}\n" for line in [found.kind, *lines])


def _for_bash(value: Value, cut: int) -> str:
    return value.text[cut:]


def _for_zsh(value: Value, cut: int) -> str:
    del cut
    text = value.text.replace(":", "\\:")
    return f"{text}:{value.line}" if value.line else text


def _for_fish(value: Value, cut: int) -> str:
    del cut
    return f"{value.text}\t{value.line}"


_LINES: Final[Mapping[str, Callable[[Value, int], str]]] = {
    "bash": _for_bash,
    "zsh": _for_zsh,
    "fish": _for_fish,
}
