"""Can the pictures that are written as text be drawn, and do they name what there is?

What draws mermaid is a program for Node.js. Without it, each line must be of a form that its three
kinds of pictures know; `KCL_TEST_MERMAID` names a folder where `npm install mermaid jsdom` was run,
and then mermaid itself reads them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import Block, Claim, blocks_of_kind, claims, name_of

PICTURES: Final = list(blocks_of_kind("mermaid"))
MERMAID: Final = "KCL_TEST_MERMAID"
PATIENCE_SECONDS: Final = 120.0

_NAME: Final = r"\w+"
_LABEL: Final = r'(?:\["[^"\]]+"\]|\[[^"\[\]]+\])'
_NODE: Final = rf"{_NAME}{_LABEL}?"
LINES: Final[Mapping[str, tuple[str, ...]]] = {
    r"flowchart (?:LR|TB)": (
        rf"subgraph {_NAME}(?: \[[^\[\]]+\])?",
        "end",
        rf'{_NODE}(?: (?:-->|<-->|---|-- (?:"[^"]+"|\w+) -->) {_NODE})*',
    ),
    "sequenceDiagram": (
        rf"participant {_NAME} as [^;#]+",
        rf"{_NAME}(?:->>|-->>){_NAME}: [^;#]+",
        rf"Note (?:over|left of|right of) {_NAME}: [^;#]+",
    ),
    "stateDiagram-v2": (
        rf"(?:\[\*\]|{_NAME}) --> (?:\[\*\]|{_NAME})(?:: {_NAME})?",
        rf"note left of {_NAME}: [^;#]+",
    ),
}

READER: Final = """
import { createRequire } from 'module';
const load = createRequire(process.argv[1] + '/x.js');
const { JSDOM } = load('jsdom');
globalThis.window = new JSDOM('').window;
globalThis.document = window.document;
const core = process.argv[1] + '/node_modules/mermaid/dist/mermaid.core.mjs';
const { default: mermaid } = await import(core);
for (const text of JSON.parse(process.argv[2])) await mermaid.parse(text);
"""


def claimed_blocks() -> Iterator[Claim]:
    """All pictures; that of the states is also compared with its table, by its own test."""
    for page, block in PICTURES:
        yield from claims(page, [block])


def id_of(part: Path | Block) -> str:
    return name_of(part) if isinstance(part, Path) else str(part.number)


def forms_of(picture: str) -> tuple[str, ...]:
    """What a line of such a picture may be."""
    head = picture.partition("\n")[0]
    [forms] = [forms for kind, forms in LINES.items() if re.fullmatch(kind, head)]
    return forms


def strange_lines(picture: str) -> list[str]:
    """Lines that a picture of its kind does not know."""
    forms = forms_of(picture)
    lines = [line.strip() for line in picture.splitlines()[1:]]
    return [line for line in lines if not any(re.fullmatch(form, line) for form in forms)]


@pytest.mark.parametrize(("page", "block"), PICTURES, ids=id_of)
def test_each_line_of_a_picture_has_a_form_that_is_known(page: Path, block: Block) -> None:
    assert strange_lines(block.text) == []


@pytest.mark.parametrize(("page", "block"), PICTURES, ids=id_of)
def test_who_takes_part_was_introduced(page: Path, block: Block) -> None:
    if not block.text.startswith("sequenceDiagram"):
        return
    introduced = set(re.findall(r"participant (\w+)", block.text))
    named = set(re.findall(r"^ *(\w+)-", block.text, re.MULTILINE))
    named |= set(re.findall(r">>(\w+):", block.text))

    assert named == introduced


@pytest.mark.parametrize(
    "picture",
    [
        "flowchart LR\n    a --> --> b\n",
        "sequenceDiagram\n    A->>T renew\n",
        "flowchart LR\n  (a\n",
    ],
)
def test_what_cannot_be_drawn_is_seen(picture: str) -> None:
    assert len(strange_lines(picture)) == 1


def test_mermaid_itself_reads_them() -> None:
    folder, node = os.environ.get(MERMAID), shutil.which("node")
    if not folder or node is None:
        pytest.skip(f"mermaid is not there: {MERMAID} is not set, or there is no Node.js")
    texts = json.dumps([block.text for _, block in PICTURES])
    done = subprocess.run(
        [node, "--input-type=module", "-e", READER, folder, texts],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
