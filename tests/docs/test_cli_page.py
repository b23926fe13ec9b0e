"""Do the examples on the page of commands do what they say? In a shell, one after the other.

Those about streams and records are run by `tests/cli/test_help.py`; here are all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.cli import test_help
from tests.docs.pages import DOCS, ROOT, Claim, blocks_of, claims
from tests.docs.shell import Shell, open_shell
from tests.docs.test_how_to import A_WORKER, PREAMBLE, free_port

PAGE: Final = DOCS / "reference" / "cli.md"
BLOCKS: Final = [block for block in blocks_of(PAGE) if block.kind == "sh"]
RUN_ELSEWHERE: Final = {
    "kcl demo": ".ci/run",
    "kcl demo --fast --keep": "tests/process/test_demo.py",  # without keeping anything
}
"""The demo takes a minute, or half of one."""

EXAMPLES: Final = [
    line
    for block in BLOCKS
    for line in block.text.splitlines()
    if line not in {*test_help.RUN, *RUN_ELSEWHERE}
]

ARN: Final = "arn:aws:kinesis:us-east-1:111122223333:stream/orders"
KEY: Final = "arn:aws:kms:us-east-1:111122223333:key/12345678-1234-1234-1234-123456789012"
LETTER: Final = "0f3ac1b2d4e59687"

FIRST: Final = f"""
export HOME=$PWD
mkdir -p .config/fish/completions
echo 'app = "greeter"' > kcl.toml
for stream in people orders orders-again; do
    kcl stream create $stream --shards 1 --wait & made="$made $!"
done
wait $made

export AT=$(kcl put orders 'no order' --key ann -o json |
    python -c 'import json, sys; print(json.load(sys.stdin)["sequence_number"])')

command kcl run failing_orders:Orders --app dead --stream orders --set on_error.attempts=1 \\
    --set on_error.then=dead_letter --set on_error.dead_letters=file:dead.jsonl & failing=$!
KCL_HEALTH_FILE=$PWD/health KCL_HEALTH_PORT=$PORT command {A_WORKER} & healthy=$!
for each in 1 2; do
    KCL_HEALTH_FILE=worker.$each command kcl run failing_orders:Orders --app orders \\
        --stream orders --set on_error.attempts=1 --set on_error.then=skip \\
        --set leases.duration=3s & workers="$workers $!"
done

for each in health worker.1 worker.2; do
    until KCL_HEALTH_FILE=$each kcl health --ready; do sleep 0.5; done
done

until [ -s dead.jsonl ]; do sleep 0.1; done
kill $failing; wait $failing
cp dead.jsonl sqs.jsonl; cp dead.jsonl s3.jsonl
LETTER=$(kcl dlq list dead.jsonl -o jsonl | cut -d '"' -f 4)
"""
"""Two applications that run, `greeter` and `orders`, this one with two workers; a dead letter.
It is typed part by part, for the shell's patience is that for one thing."""

RESET: Final = "kcl checkpoint reset --to 2026-11-21T10:00Z --app orders --yes"
BEFORE: Final[Mapping[str, str]] = {RESET: "kill $workers; wait $workers"}
FILLS: Final[Mapping[str, str]] = {
    "/tmp/kcl-health": "$PWD/health",
    "8080": "$PORT",
    "local -- bash": "local -- true",
    "KEY_ARN": KEY,
    " ARN": f" {ARN}",
    LETTER: "$LETTER",
    # The engine has neither queues nor buckets: tests/dead_letters has.
    "s3://bucket/dead": "s3.jsonl",
    "sqs://sqs.eu-central-1.amazonaws.com/123456789012/dead": "sqs.jsonl",
    "after:SEQ/SUB": "after:$AT/0 --yes",
}
"""What the reader puts in the place of something."""


def claimed_blocks() -> Iterator[Claim]:
    """All examples of the page: each is run here, or by those named above."""
    return claims(PAGE, BLOCKS)


@pytest.mark.process
def test_the_examples_of_the_page_work_as_they_are_written(tmp_path: Path) -> None:
    with open_shell(tmp_path) as shell:
        shell.type(f"{PREAMBLE}\nPORT={free_port()}\nexec 2>>errors.txt")
        for part in FIRST.split("\n\n"):
            shell.type(part)
        for example in EXAMPLES:
            shell.type(BEFORE.get(example, ""))
            said = run_one(example, shell)
            assert said.endswith("code 0\n"), (
                example,
                said,
                (tmp_path / "errors.txt").read_text(),
            )
        shell.type("kill $healthy; wait $healthy")


def run_one(example: str, shell: Shell) -> str:
    line = example
    for written, value in FILLS.items():
        line = line.replace(written, value)
    return shell.type(f"( {line} ) < /dev/null\necho code $?")


@pytest.mark.parametrize("example", RUN_ELSEWHERE)
def test_what_is_run_elsewhere_is_there(example: str) -> None:
    text = (ROOT / RUN_ELSEWHERE[example]).read_text(encoding="utf-8")
    words = [word for word in example.split()[1:] if word != "--keep"]

    assert " ".join(words) in re.sub(r'[",]', "", text)
