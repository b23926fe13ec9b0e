"""Does the reference say what the code says?"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import kcl_py
import kcl_py.testing
from kcl_py import RecordProcessor, Worker
from kcl_py._kcl_names import KCL_NAMES
from kcl_py.aws import attributes
from kcl_py.cli.errors import ExitCode
from kcl_py.errors import ConfigError, KclError
from kcl_py.iam import Role, Scope, policy
from kcl_py.settings import known_settings, parse_setting
from tests.docs.pages import DOCS, PAGES, ROOT, Claim, blocks_of, claims

REFERENCE = DOCS / "reference"
OPERATE = DOCS / "how-to" / "operate.md"
CROSS_ACCOUNT = DOCS / "how-to" / "cross-account.md"
MADE = ["settings.md", "cli.md", "testing.md", "kcl-names.md", "metrics.md", "iam.md"]
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
PACKAGE_FILE = re.compile(r"`(?:kcl_py/)?((?:core|shell|aws|cli|testing|local)/[\w/]+\.py)`")
CODE_ROW = re.compile(r"^\| (\d+) \| [^|]+ \| ([^|]*)\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DOCS))
    yield importlib.import_module("make_reference")
    sys.path.remove(str(DOCS))


def claimed_blocks() -> Iterator[Claim]:
    """Usages and signatures, which the code has made, and policies, compared with what it makes."""
    for page in (REFERENCE / name for name in MADE):
        yield from claims(page, [block for block in blocks_of(page) if not block.kind])
    for page in (OPERATE, CROSS_ACCOUNT):
        yield from claims(page, [block for block in blocks_of(page) if block.kind == "json"])


@pytest.mark.parametrize("page", MADE)
def test_made_pages_are_as_they_would_be_made_now(maker: ModuleType, page: str) -> None:
    made = maker.PAGES[page]()

    assert (REFERENCE / page).read_text(encoding="utf-8") == made, (
        "run: python docs/make_reference.py"
    )


def test_every_name_of_the_test_kit_is_on_its_page_and_described(maker: ModuleType) -> None:
    text = (REFERENCE / "testing.md").read_text(encoding="utf-8")
    sections = {part.split("`")[0]: part for part in text.split("\n### `")[1:]}

    assert set(kcl_py.testing.__all__) <= set(sections)
    grouped = [
        name for names in maker.testing_page.__globals__["GROUPS"].values() for name in names
    ]
    assert sorted(grouped) == sorted(kcl_py.testing.__all__)
    silent = [name for name, part in sections.items() if not part.split("```")[-1].strip()]
    assert silent == []


def test_every_setting_is_on_the_page() -> None:
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")

    assert [name for name in known_settings() if f"| `{name}` |" not in text] == []


def test_java_names_are_those_that_get_a_hint(maker: ModuleType) -> None:
    for setting, java in maker.JAVA.items():
        with pytest.raises(ConfigError, match=rf"{java} is {re.escape(setting)}\b"):
            parse_setting(java, "1")


def test_what_is_named_as_the_counterpart_of_a_kcl_name_exists() -> None:
    named = {name for names in KCL_NAMES.values() for name in names if name.here}
    arguments = {name for name in named if "argument of the Worker" in name.here}
    attributes = {name for name in named if "attribute of the processor" in name.here}

    settings = {name.here for name in named - arguments - attributes}
    assert settings <= set(known_settings())
    parameters = inspect.signature(Worker).parameters
    assert {name.here.partition(",")[0] for name in arguments} <= set(parameters)
    assert all(hasattr(RecordProcessor, name.here.partition(",")[0]) for name in attributes)


def test_every_kcl_name_is_answered_whatever_its_spelling() -> None:
    for name in (each.name for names in KCL_NAMES.values() for each in names):
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        for spelled in (name, snake, f"leases.{name}"):
            with pytest.raises(ConfigError, match=rf"the Java KCL's {name} (is|has)"):
                parse_setting(spelled, "1")


def test_every_attribute_of_the_lease_table_is_explained() -> None:
    text = (REFERENCE / "lease-table.md").read_text(encoding="utf-8")
    names = {name for name, _ in attributes.SCALARS.values()}
    for several in ("checkpoint", "hash_range", "pending"):
        names.update(attributes.attributes_of(several))
    names |= {attributes.KEY, attributes.INDEX, attributes.ENTITY_TYPE, attributes.LAST_UPDATE}

    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def every_error() -> Iterator[type[KclError]]:
    for module in pkgutil.walk_packages(kcl_py.__path__, "kcl_py."):
        if module.name.split(".")[1] in (
            "errors",
            "admin",
            "cli",
            "shell",
            "aws",
            "dead_letters",
            "health",
        ):
            importlib.import_module(module.name)
    kinds = [KclError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("kcl_py."):
            yield kind


def test_every_exit_code_is_explained_and_every_error_stands_at_its_own() -> None:
    text = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    rows = {int(code): after for code, after in CODE_ROW.findall(text)}

    assert set(rows) == {int(code) for code in ExitCode}
    wrong = [
        kind.__name__ for kind in every_error() if f"`{kind.__name__}`" not in rows[kind.exit_code]
    ]
    assert wrong == []


def test_every_check_of_the_doctor_is_explained() -> None:
    folder = ROOT / "kcl_py" / "admin" / "doctor"
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    made = set(re.findall(r'\b(?:ok|problem|warning|unknown)\(\s*"([\w ]+)"', source))
    page = (DOCS / "how-to" / "find-out-what-is-wrong.md").read_text(encoding="utf-8")
    rows = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}

    assert made
    assert made <= named
    assert [name for name in named if f'"{name}"' not in source] == []


def test_the_policy_of_operate_is_what_the_command_prints() -> None:
    [shown] = [block for block in blocks_of(OPERATE) if block.kind == "json"]
    [command] = [block for block in blocks_of(OPERATE) if block.text.startswith("kcl iam policy ")]
    done = subprocess.run(
        [sys.executable, "-m", "kcl_py", *shlex.split(command.text)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.text == done.stdout


def test_the_readme_names_every_action_of_a_worker() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("The worker calls nothing but\n")[2].partition("`kcl iam policy")[0]
    scope = Scope(
        stream_arn="arn:aws:kinesis:eu-west-1:111122223333:stream/people",
        table="greeter",
        app="greeter",
        table_tags=True,
        table_backups=True,
    )
    made = {action for each in policy(Role.WORKER, scope)["Statement"] for action in each["Action"]}

    named = re.findall(r"`(?:\w+:)?([A-Z]\w+)`", section)
    assert set(named) == {action.partition(":")[2] for action in made}


def test_the_policy_for_another_account_lets_it_call_what_a_worker_calls() -> None:
    [shown] = [block for block in blocks_of(CROSS_ACCOUNT) if block.kind == "json"]
    [statement] = json.loads(shown.text)["Statement"]
    scope = Scope(stream_arn=statement["Resource"], table="orders")
    made = policy(Role.WORKER, scope)["Statement"]

    on_stream = [each for each in made if each["Resource"] == scope.stream_arn]
    assert sorted(statement["Action"]) == sorted(a for each in on_stream for a in each["Action"])
    assert statement["Principal"] == {"AWS": "arn:aws:iam::444455556666:role/orders-worker"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_into_pages_find_their_heading(page: Path) -> None:
    links = ANCHOR.findall(page.read_text(encoding="utf-8"))
    local = [(path, anchor) for path, anchor in links if "://" not in path]

    lost = [each for each in local if each[1] not in headings_of(page.parent / each[0], page)]
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_of_the_package_that_are_named_exist(page: Path) -> None:
    named = PACKAGE_FILE.findall(page.read_text(encoding="utf-8"))

    assert [file for file in named if not (ROOT / "kcl_py" / file).is_file()] == []


def headings_of(target: Path, page: Path) -> set[str]:
    """Names by which the headings of a page can be linked."""
    text = (page if target == page.parent else target).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def texts_of(svg: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg)


def test_drawn_pictures_are_as_they_would_be_drawn_now() -> None:
    sys.path.insert(0, str(DOCS))
    try:
        pictures = importlib.import_module("make_pictures").PICTURES
    finally:
        sys.path.remove(str(DOCS))
    for name, draw in pictures.items():
        drawn = (DOCS / "pictures" / name).read_text(encoding="utf-8")
        made = draw()
        if name == "top.svg":  # what it says; how that is spelled as SVG is for the library
            drawn_part, made_part = str(texts_of(drawn)), str(texts_of(made))
        else:
            drawn_part, made_part = drawn, made
        assert drawn_part == made_part, "run: python docs/make_pictures.py"
        assert len(texts_of(drawn)) > len("many")
        outside = set(re.findall(r"https?://[^\s\"')]+", drawn)) - {"http://www.w3.org/2000/svg"}
        assert outside == set()
