"""Does importing the package stay free of charge?"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "boto3", "botocore", "msgspec", "opentelemetry", "rich", "structlog", "tenacity", "typer",
}  # fmt: skip


def modules_loaded_by(program: str) -> set[str]:
    answer = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(answer.stdout.split())


def test_importing_the_package_loads_no_dependency() -> None:
    loaded = modules_loaded_by("import kcl_py")

    assert loaded & HEAVY == set()
    assert not any(name.startswith("kcl_py.") for name in loaded)


def test_configuration_and_errors_load_no_dependency() -> None:
    loaded = modules_loaded_by("from kcl_py import LeaseLost, WorkerConfig")

    assert loaded & HEAVY == set()


def test_records_load_msgspec_and_nothing_else() -> None:
    assert modules_loaded_by("from kcl_py import Record") & HEAVY == {"msgspec"}


def test_a_worker_loads_no_opentelemetry_that_nobody_asked_for() -> None:
    program = (
        "from kcl_py import MetricsConfig, Worker, WorkerConfig\n"
        "config = WorkerConfig(metrics=MetricsConfig(level='summary'))\n"
        "Worker(app_name='demo', stream='people', processor=lambda batch: None, config=config)"
    )

    assert "opentelemetry" not in modules_loaded_by(program)


def test_the_command_names_what_to_install_when_it_is_missing() -> None:
    program = (
        "import importlib.util as u, runpy\n"
        "find = u.find_spec\n"
        "gone = ('typer', 'rich')\n"
        "u.find_spec = lambda name, *rest: None if name in gone else find(name, *rest)\n"
        "runpy.run_module('kcl_py', run_name='__main__')"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, text=True
    )

    assert answer.returncode == 2
    assert answer.stderr == "kcl needs typer and rich; install with: pip install 'kcl-py[cli]'\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import kcl_py

    with pytest.raises(AttributeError, match="has no attribute 'Wroker'"):
        kcl_py.Wroker  # type: ignore[attr-defined]  # noqa: B018
