"""Do the commands of the how-to pages work as they are written? On the engine, in a shell.

Each block is typed at once, in a copy of the examples, and must end with 0. What would go on until
Ctrl-C is interrupted once it has said something.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import DOCS, Block, Claim, blocks_of, claims
from tests.docs.shell import open_shell

HOW_TO: Final = DOCS / "how-to"

PREAMBLE: Final = r"""
kcl() {
    case " $* " in
        *" run "*|*" leases "*" --watch "*|*" --follow "*|*" --demo "*|\
        *" local --port "*|*" local --data "*)
            command python -m tests.docs.until_heard kcl "$@" ;;
        *) command kcl "$@" ;;
    esac
}
tail() { command tail -n +1 "${@: -1}"; }  # a log that has an end
"""

A_WORKER: Final = "kcl run people:Greeter --app greeter --stream people"
A_WORKER_RAN: Final = f"kcl stream create people --shards 2 --wait\n{A_WORKER}"
TWO_WORKERS: Final = f"""
for port in 1 2; do
    export KCL_HEALTH_FILE=worker.$port
    command {A_WORKER} --set leases.duration=3s & workers="$workers $!"
    until kcl health --ready; do sleep 0.1; done
done
until kcl leases --app greeter | grep -q owned; do sleep 0.1; done
"""
TWO_WORKERS_LEAVE: Final = "kill $workers; wait $workers"
ORDERS: Final = "kcl stream create orders --shards 2 --wait"


@dataclass(frozen=True)
class Setting:
    """What the reader of a page has, and fills in.

    Attributes:
        before: Commands before a block, by its number; those of 0 come first.
        fills: What the page leaves to the reader: placeholders and their values.
        needs: Programs that are not ours; without them the page is skipped by name.
        after: Commands after a block, by its number.
        not_typed: Blocks of which another test looks after; `test_inventory.py` says which.
    """

    before: Mapping[int, str] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    after: Mapping[int, str] = field(default_factory=dict)
    not_typed: frozenset[int] = frozenset()


def write_the_file_of(page: str) -> str:
    """A command that writes the TOML of a page to kcl.toml."""
    [text] = [block.text for block in blocks_of(HOW_TO / page) if block.kind == "toml"]
    return f"cat > kcl.toml <<'END'\n{text}END"


SETTINGS: Final[Mapping[str, Setting]] = {
    "alarms.md": Setting(before={0: A_WORKER_RAN}),
    "backfill.md": Setting(before={0: A_WORKER_RAN}),
    "configure.md": Setting(before={0: A_WORKER_RAN, 1: write_the_file_of("configure.md")}),
    "find-out-what-is-wrong.md": Setting(before={0: A_WORKER_RAN}),
    "observe.md": Setting(
        before={0: "kcl stream create people --shards 2 --wait"},
        fills={A_WORKER: f"command {A_WORKER} & until kcl health --ready; do sleep 0.1; done"},
    ),
    "iam.md": Setting(),
    "migrate-from-the-kcl.md": Setting(
        before={0: "kcl stream create people --shards 2 --wait"},
        fills={"my_processor:P": "moved:Printer"},
    ),
    "operate.md": Setting(
        # One shard, so that its owner may give it away and still has its share: none.
        before={0: A_WORKER_RAN.replace("--shards 2", "--shards 1"), 5: TWO_WORKERS},
        after={5: TWO_WORKERS_LEAVE},
    ),
    "produce-from-files.md": Setting(
        before={
            0: f"{ORDERS}\nkcl stream create logs --shards 1 --wait\n"
            "kcl stream create people --shards 1 --wait\n"
            "echo '{\"id\": 2}' > order.json\n"
            'echo \'{"id": 3, "customer": {"id": "ann"}}\' > orders.jsonl\n'
            "echo 'a line' > app.log"
        }
    ),
    "reshard.md": Setting(before={0: ORDERS}),
    "run-locally.md": Setting(
        fills={"kcl local -- bash": "echo exit | kcl local -- bash"}, needs=("curl",)
    ),
    "run-on-spot.md": Setting(
        before={0: A_WORKER_RAN},
        not_typed=frozenset({0}),
    ),
    "several-cores.md": Setting(before={0: "kcl stream create people --shards 4 --wait"}),
    "streams.md": Setting(
        before={
            2: f"{ORDERS}\nkcl put orders '{{\"id\": 1}}' --key ann",
            3: 'export AT=$(kcl put orders \'{"customer": "ada"}\' --key ada --hash-key 0 -o json'
            " | python -c 'import json, sys; print(json.load(sys.stdin)[\"sequence_number\"])')",
        },
        fills={"delete orders --wait": "delete orders --wait --yes", "SEQ/SUB": "$AT/0"},
    ),
}

WALKED: Final = {"handle-failing-records.md", "reset-checkpoints.md", "trace.md"}
"""Pages that are one walk from their first line to their last, with tests of their own."""

DEPLOYED: Final = {"deploy-on-ecs.md", "deploy-on-ec2.md"}
"""Pages for machines that are not this one: tests/deploy."""


def commands_of(page: Path) -> list[Block]:
    """The blocks that hold commands for the shell."""
    return [block for block in blocks_of(page) if block.kind == "sh"]


PAGES: Final = [
    page
    for page in [*sorted(HOW_TO.glob("*.md")), DOCS / "reference" / "iam.md"]
    if page.name not in WALKED | DEPLOYED and commands_of(page)
]


def claimed_blocks() -> Iterator[Claim]:
    """The blocks that are typed here."""
    for page in PAGES:
        left_out = SETTINGS.get(page.name, Setting()).not_typed
        typed = [block for n, block in enumerate(commands_of(page)) if n not in left_out]
        yield from claims(page, typed)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_page_works_as_it_is_written(page: Path, tmp_path: Path) -> None:
    setting = SETTINGS.get(page.name, Setting())
    for program in setting.needs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with open_shell(tmp_path) as shell:
        shell.type(PREAMBLE)
        for number, block in enumerate(commands_of(page)):
            shell.type(f"exec 2>>{tmp_path}/stderr.txt\n{setting.before.get(number, '')}")
            if number in setting.not_typed:
                continue
            said = shell.type(f"( set -e -o pipefail\n{filled(block, setting)}\n)\necho code $?")
            errors = (tmp_path / "stderr.txt").read_text()
            assert said.rstrip().endswith("code 0"), (block.text, said, errors)
            shell.type(setting.after.get(number, ""))


def filled(block: Block, setting: Setting) -> str:
    text = block.text.replace("4567", str(free_port()))
    for placeholder, value in setting.fills.items():
        text = text.replace(placeholder, value)
    return text
