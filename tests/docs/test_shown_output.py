"""Is what the pages show of others' output, and say to others' programs, as those have it?"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore.validate import ParamValidator

from kcl_py.core import commands, events
from tests.docs.pages import DOCS, ROOT, Block, Claim, blocks_of, claims

TEST_A_PROCESSOR: Final = DOCS / "how-to" / "test-a-processor.md"
RUN_ON_SPOT: Final = DOCS / "how-to" / "run-on-spot.md"
ARCHITECTURE: Final = DOCS / "explanation" / "architecture.md"
ROOMS: Final = DOCS / "pictures" / "rooms.svg"

PATIENCE_SECONDS: Final = 120.0
FAILING: Final = """
from kcl_py.testing import CrashAt


def test_nobody_is_missing(kcl_simulation):
    kept = []

    def keep(batch):
        for record in batch:
            kept.append(record.text())
        batch.checkpoint()

    kcl_simulation(keep, [str(n) for n in range(10)], incidents=[CrashAt(moment="checkpoint")])
    assert len(kept) == 10
"""


def report_block() -> Block:
    [block] = [block for block in blocks_of(TEST_A_PROCESSOR) if block.kind == "text"]
    return block


def hook_block() -> Block:
    [block] = [block for block in blocks_of(RUN_ON_SPOT) if block.text.startswith("aws ")]
    return block


def claimed_blocks() -> Iterator[Claim]:
    """A report of pytest, and a command of the AWS CLI."""
    yield from claims(TEST_A_PROCESSOR, [report_block()])
    yield from claims(RUN_ON_SPOT, [hook_block()])


def timeless(line: str) -> str:
    """A line of the report without its moment, its worker and the width of its rule."""
    return re.sub(r"-{5,}", "---", re.sub(r"^ +\d+\.\d+", "", line))


def test_a_failing_simulation_reports_as_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "test_archive.py").write_text(FAILING, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "kcl_py.testing.pytest_plugin", "--kcl-seed", "3"),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        timeout=PATIENCE_SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )

    said = [timeless(line) for line in done.stdout.splitlines()]
    shown = [timeless(line) for line in report_block().text.splitlines() if line.strip() != "..."]
    assert done.returncode == 1
    begin = said.index(shown[0])
    assert [line for line in said[begin:] if line in shown] == shown, done.stdout


def test_the_command_about_the_hook_is_one_that_the_service_takes() -> None:
    """Read as the AWS CLI reads it: words become an operation and its parameters."""
    program, service, verb, *words = shlex.split(hook_block().text.replace("\\\n", ""))
    assert program == "aws"
    named = zip(words[::2], words[1::2], strict=True)
    model = botocore.session.get_session().get_service_model(service)
    operation = model.operation_model(pascal(verb))
    shape = operation.input_shape
    assert shape is not None
    parameters: dict[str, Any] = {}
    for option, value in named:
        name = pascal(option.removeprefix("--"))
        is_number = shape.members[name].type_name == "integer"
        parameters[name] = int(value) if is_number else value

    report = ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()


def test_the_way_of_a_record_names_events_and_commands_that_there_are() -> None:
    texts = [ROOMS.read_text(encoding="utf-8"), ARCHITECTURE.read_text(encoding="utf-8")]
    named = {name for text in texts for name in re.findall(r"[>`]([A-Z]\w+[a-z])[<`]", text)}

    ours = named - {"GetRecords", "UpdateItem", "RecordProcessor"}
    assert ours >= {"PageFetched", "Deliver", "CallReturned", "WriteRow"}
    assert [name for name in ours if not (hasattr(events, name) or hasattr(commands, name))] == []


def pascal(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("-"))
