"""What does TLC say about one module in one configuration?

`KCL_TLC_JAR` names the jar that `.ci/engines install` brings.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MODELS = Path(__file__).resolve().parent.parent.parent / "docs" / "spec"
HEAP_MAX = "-Xmx4g"

_NO_ERROR = "Model checking completed. No error has been found."
_VIOLATED = re.compile(r"^Error: Invariant (\w+) is violated", re.MULTILINE)
_DISTINCT = re.compile(r"^\d+ states generated, (\d+) distinct states found, ", re.MULTILINE)
_STATE = re.compile(r"^State (\d+): ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What TLC found.

    Attributes:
        violated: The first invariant that does not hold; None if all states hold all of them.
        trace: States of the shortest way to the violation, the initial one included; 0 without.
        states: Distinct states found.
        seconds: How long it took.
        output: All that TLC said.
    """

    violated: str | None
    trace: int
    states: int
    seconds: float
    output: str


def why_not() -> str | None:
    """Say what is missing to run TLC; None if nothing is."""
    jar = os.environ.get("KCL_TLC_JAR", "")
    if not Path(jar).is_file():
        return "KCL_TLC_JAR names no file: run .ci/engines install DIR, start DIR, and . DIR/env"
    if shutil.which("java") is None:
        return "TLC needs Java 11 or newer on the path"
    return None


def configuration(base: str, changes: Mapping[str, str]) -> str:
    """Return the configuration `base`.cfg with some constants set to other values.

    Raises:
        ValueError: The configuration does not have such a constant, or has it already so.
    """
    text = (MODELS / f"{base}.cfg").read_text(encoding="utf-8")
    for name, value in changes.items():
        changed, count = re.subn(rf"(?m)^ {name} = .*$", f" {name} = {value}", text)
        if count != 1 or changed == text:
            raise ValueError(f"{base}.cfg has no {name} that {value!r} would change")
        text = changed
    return text


def read(output: str, seconds: float) -> Verdict:
    """Read what TLC printed.

    Raises:
        ValueError: It neither completed nor found a violation.
    """
    violated = _VIOLATED.search(output)
    distinct = _DISTINCT.findall(output)
    if not distinct or (violated is None) == (_NO_ERROR not in output):
        raise ValueError(f"TLC did not come to a verdict:\n{output[-3000:]}")
    trace = max((int(number) for number in _STATE.findall(output)), default=0)
    found = violated.group(1) if violated else None
    return Verdict(found, trace, int(distinct[-1]), seconds, output)


def check(module: str, config: str, *, timeout: float, is_short: bool = False) -> Verdict:
    """Run TLC in a folder of its own, with one worker, so that the shortest trace is found.

    Args:
        module: Name of a module beside this repository's models.
        config: Text of the configuration.
        timeout: Seconds after which it is ended.
        is_short: It ends before it would pay to compile it well.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kcl-tlc-") as folder:
        file = Path(folder) / "run.cfg"
        file.write_text(config, encoding="utf-8")
        shutil.copy(MODELS / f"{module}.tla", folder)
        compiled = ["-XX:TieredStopAtLevel=1"] if is_short else []
        command = [
            "java", "-XX:+UseSerialGC", *compiled, HEAP_MAX, f"-Djava.io.tmpdir={folder}",
            "-cp", os.environ["KCL_TLC_JAR"], "tlc2.TLC",
            "-workers", "1", "-deadlock", "-fp", "0", "-metadir", folder,
            "-config", file.name, f"{module}.tla",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, capture_output=True, check=False, text=True, timeout=timeout
        )
    return read(done.stdout + done.stderr, time.monotonic() - began)
