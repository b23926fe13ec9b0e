"""What do tests of commands share? A way to type one, and an engine to type it at."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from kcl_py.cli.main import main
from kcl_py.local import Engine
from kcl_py.local.engine import EngineSettings
from kcl_py.local.kinesis import KinesisSettings
from kcl_py.local.process import EngineProcess
from tests.cli.typed import Kcl, Typed

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
LEFT_ALONE = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which nothing is configured, and an empty current directory."""
    for name in list(os.environ):
        if name not in LEFT_ALONE:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def kcl(bare: None, capsys: pytest.CaptureFixture[str]) -> Iterator[Kcl]:
    """Type a command: `kcl("leases", "--app", "x")`."""
    logger = logging.getLogger("kcl_py")
    before = (list(logger.handlers), logger.level, logger.propagate)
    shown = warnings.showwarning
    handlers = {number: signal.getsignal(number) for number in HANDLED}

    def type_it(*arguments: str) -> Typed:
        code = main(arguments)
        said = capsys.readouterr()
        return Typed(code, said.out, said.err)

    yield type_it
    logger.handlers[:], logger.level, logger.propagate = before
    warnings.showwarning = shown
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def engine() -> Iterator[EngineProcess]:
    """One that lets nobody wait; whoever tests waiting starts another."""
    with EngineProcess("--no-limits", "--transition-seconds", "0") as running:
        yield running


@pytest.fixture(scope="session")
def slow_engine() -> Iterator[EngineProcess]:
    """An engine in which streams take their time to come and go."""
    with EngineProcess("--transition-seconds", "1") as running:
        yield running


@pytest.fixture
def parting_engine() -> Iterator[Engine]:
    """An engine in which a stream that is deleted takes longer than any test."""
    slow = KinesisSettings(create_seconds=0.01, delete_seconds=3600.0)
    with Engine.from_settings(EngineSettings(kinesis=slow)) as running:
        yield running


@pytest.fixture
def at_engine(bare: None, engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> EngineProcess:
    """The environment of this process leads to the engine."""
    environment: Mapping[str, str] = engine.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return engine


@pytest.fixture
def clients(engine: EngineProcess) -> Mapping[str, Any]:
    """Plain clients of the engine, by service."""
    session = boto3.session.Session(
        aws_access_key_id="local", aws_secret_access_key="local", region_name="us-east-1"
    )
    return {
        service: session.client(service, endpoint_url=engine.endpoint_url)
        for service in ("kinesis", "dynamodb")
    }
