"""Can everything that stands in backticks in the prose be typed? Commands, options, settings.

A sentence may leave out what a command needs (`kcl stream delete`), not name what is not there.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest

from kcl_py.errors import KclError
from kcl_py.settings import OTHER_VARIABLES, env_name, known_settings, parse_setting
from tests.cli.test_help import WHOLE, parsed
from tests.docs.pages import PAGES, ROOT, name_of
from tests.docs.test_shown_output import pascal

FENCED: Final = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"`([^`]+)`")
COMMAND: Final = re.compile(r"(?:[A-Z_]+=\S+ )*(?:kcl|kcl-py|python3?|pytest|aws|\.ci/\w+)(?: |$)")
OPTION: Final = re.compile(r"(?<!\S)--[a-z][a-z0-9-]+")
SETTING: Final = re.compile(r"[a-z_]+\.[a-z_0-9]+|[a-z]+_[a-z_]+")
VARIABLE: Final = re.compile(r"\bKCL_[A-Z_]+\b")

FILLS: Final = {"N": "3", "ROLE": "worker", "...": "list"}
"""What a sentence leaves to the reader, where not just any word will do."""

LEFT_TO_THE_READER: Final = {"MissingParameter", "Exit"}
"""By name, because typer comes with a click of its own. `--help` is an exit."""

GONE: Final = {"kcl --install-completion"}
"""What the changelog says is there no more."""

OF_OTHERS: Final = {"--build", "--build-arg", "--now", "--python"}  # of docker, systemctl, pip
PROGRAMS: Final = ("kcl_py/testing", "kcl_py/local", "kcl_py/health", "tests/bench", "tests/chaos")


def spans_of(page: Path) -> list[str]:
    """What stands in backticks outside of blocks, each on one line."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(span.split()) for span in SPAN.findall(prose)]


SPANS: Final = sorted({span for page in PAGES for span in spans_of(page)})
COMMANDS: Final = [span for span in SPANS if COMMAND.match(span) and span not in GONE]
SECTIONS: Final = {name.partition(".")[0] for name in known_settings() if "." in name}


def ways_to_read(span: str) -> Iterator[list[str]]:
    """`kcl leases pause|resume` is two commands."""
    words = [word for word in shlex.split(span) if not VARIABLE.match(word)]
    longest = max(len(word.split("|")) for word in words)
    for number in range(longest):
        chosen = [word.split("|")[min(number, word.count("|"))] for word in words]
        yield [FILLS.get(word, word) for word in chosen]


def check_kcl(arguments: list[str]) -> None:
    """Raise if it names a command, an option or an argument that is not there."""
    try:
        parsed(arguments)
    except Exception as error:
        is_incomplete = "requires an argument" in str(error)  # as `kcl tail --from`
        if not is_incomplete and type(error).__name__ not in LEFT_TO_THE_READER:
            raise


def check_python(words: list[str]) -> None:
    match words:
        case ["-m", module, *rest]:
            assert importlib.util.find_spec(module) is not None, module
            if module == "kcl_py.testing":
                assert rest[0] in ("simulate", "mutants", "scale")
        case ["-X", _] | []:
            pass
        case [program, *_]:
            assert (ROOT / program).is_file()


def check_pytest(words: list[str]) -> None:
    match words:
        case ["-m", mark]:
            assert f'"{mark}:' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        case [*paths]:
            assert all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize("span", COMMANDS)
def test_a_command_in_the_prose_is_one(span: str) -> None:
    for words in ways_to_read(span):
        match words:
            case ["kcl" | "kcl-py", *arguments]:
                check_kcl(arguments)
            case ["python" | "python3", *arguments]:
                check_python(arguments)
            case ["pytest", *arguments]:
                check_pytest(arguments)
            case ["aws", service, verb, *_]:
                model = botocore.session.get_session().get_service_model(service)
                assert pascal(verb) in model.operation_names
            case [program, *_]:
                assert (ROOT / program).is_file()


@pytest.mark.parametrize("arguments", [["tail", "--form"], ["leases", "stop"], ["demo", "orders"]])
def test_what_is_no_command_is_seen(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"No such option|stop|extra argument"):
        check_kcl(arguments)


def options_of(command: Any) -> Iterator[str]:
    """Every option of a command and of those below it."""
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for each in getattr(command, "commands", {}).values():
        yield from options_of(each)


def options_of_programs() -> Iterator[str]:
    """Options of the other programs, by their source."""
    for folder in PROGRAMS:
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(r'"(--[a-z0-9-]+)"', path.read_text(encoding="utf-8"))


def test_every_option_in_the_prose_is_one() -> None:
    known = {*options_of(WHOLE), *options_of_programs(), *OF_OTHERS, "--help"}

    named = {option for span in SPANS if span not in GONE for option in OPTION.findall(span)}
    assert named
    assert named - known == set()


def test_every_setting_in_the_prose_is_one() -> None:
    events = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    wrong = []
    for span in SPANS:
        name, equals, value = span.removeprefix("--set ").replace(" = ", "=").partition("=")
        if (
            not SETTING.fullmatch(name)
            or name.partition(".")[0] not in SECTIONS
            or name in SECTIONS
        ):
            continue
        if name not in known_settings():
            wrong += [] if f"`{name}`" in events else [span]
        elif equals and value.isascii() and "..." not in value:
            try:
                parse_setting(name, value)
            except KclError as error:
                wrong.append(f"{span}: {error}")
    assert wrong == []


def test_every_variable_is_read_by_somebody() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for folder in ("kcl_py", "tests", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", "") and path.is_file() and "engines.d" not in path.parts
    ]
    known = {*OTHER_VARIABLES, *map(env_name, known_settings())}

    named = {name for page in PAGES for name in VARIABLE.findall(page.read_text(encoding="utf-8"))}
    unread = [name for name in named - known if not any(name in text for text in texts)]
    assert unread == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_of_the_package_is_there(page: Path) -> None:
    names = [span for span in spans_of(page) if re.fullmatch(r"kcl_py(?:\.\w+)+", span)]

    assert [name for name in names if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Say whether a module has that name, or something in a module."""
    words = name.split(".")
    found: Any = importlib.import_module(words[0])
    for number, word in enumerate(words[1:], start=1):
        module = ".".join(words[: number + 1])
        if hasattr(found, "__path__") and importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
        found = getattr(found, word, None)
    return found is not None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_the_repository_is_there(page: Path) -> None:
    named = [span for span in spans_of(page) if re.fullmatch(r"[\w.]+/[\w@./-]*", span)]
    package = ROOT / "kcl_py"
    places = (ROOT, package, package / "testing", page.parent)
    ours = [path for path in named if any((at / path.split("/")[0]).is_dir() for at in places)]

    assert [path for path in ours if not any((at / path).exists() for at in places)] == []
