"""Where the sinks are tested: a PostgreSQL for this run alone, DynamoDB, and a fake of S3."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kcl_py.local import Engine

from fake_s3 import FakeS3
from sink_dynamodb import TABLE

PATIENCE_SECONDS = 60


def programs_of_postgres() -> Path | None:
    on_path = shutil.which("pg_ctl")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    found = [Path(on_path)] if on_path else installed[-1:]
    return found[0].resolve().parent if found else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server on a socket in a folder of its own; skipped where none is installed."""
    programs = programs_of_postgres()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (no pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="kcl-"))  # the path of a socket must be short
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to run as root
    if user is not None:
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - a program of PostgreSQL, no shell
            [programs / program, "-D", folder / "data", *arguments],
            user=user,
            cwd=folder,
            check=True,
            timeout=PATIENCE_SECONDS,
            stdout=subprocess.DEVNULL,
        )

    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    try:
        run("initdb", "-U", "postgres", "--auth=trust", "--no-sync")
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", settings, "start")
        try:
            yield f"host={folder} user=postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """Where to connect to; the tables are there and empty."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    from sink_postgres import TABLES

    with psycopg.connect(postgres_server, autocommit=True) as db:
        db.execute("drop table if exists progress, ledger")
        db.execute(TABLES)
    return postgres_server


@pytest.fixture
def dynamodb(kcl_engine: Engine) -> object:
    """A client; the table is there and empty."""
    client = kcl_engine.session().client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    while client.describe_table(TableName=TABLE)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.02)  # the waiter of boto3 sleeps for 20 seconds
    return client


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()
