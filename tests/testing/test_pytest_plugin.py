"""What does the pytest plugin do for somebody else's tests? Seen from whole runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "kcl_py.testing.pytest_plugin"
HEAVY = {"asyncio", "boto3", "botocore", "msgspec", "structlog", "tenacity"}

PATIENT = """
from kcl_py import each_record
from kcl_py.testing import CrashAfter

def test_it(kcl_simulation):
    run = kcl_simulation(
        each_record(lambda record: None), range(20), incidents=[CrashAfter(records=5)]
    )
    print("seed", kcl_simulation.seed, kcl_simulation.rng.random(), len(run.transcript))
    assert run.shard_ended
"""
FAILS_UNDER_3 = f"{PATIENT}    assert kcl_simulation.seed != 3\n"


def run_pytest(
    folder: Path, test: str, *options: str, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    (folder / "test_theirs.py").write_text(test)
    # The plugin is named, so that it is the one beside these tests, whatever is installed.
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", PLUGIN, *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **(more or {}),
        },
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_package_announces_its_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"kcl_py": PLUGIN}
    needed = " ".join(project["dependencies"])
    assert "pytest" not in needed


def test_loading_the_plugin_costs_nothing_but_pytest() -> None:
    code = (
        f"import sys, pytest; before = set(sys.modules); import {PLUGIN}\n"
        "print(*sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert set(done.stdout.split()) == {"kcl_py", "kcl_py.testing", PLUGIN}
    assert HEAVY.isdisjoint(done.stdout.split())


def test_a_test_runs_once_for_each_seed(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, PATIENT, "--kcl-seeds", "4", "-vv")

    assert done.returncode == 0, done.stdout
    passed = [f"test_it[seed-{seed}] PASSED" in done.stdout for seed in range(5)]
    assert passed == [True, True, True, True, False]


def test_ten_seeds_unless_the_ini_file_says_otherwise(tmp_path: Path) -> None:
    assert "10 passed" in run_pytest(tmp_path, PATIENT).stdout

    (tmp_path / "pytest.ini").write_text("[pytest]\nkcl_seeds = 3\n")
    assert "3 passed" in run_pytest(tmp_path, PATIENT).stdout
    assert "2 passed" in run_pytest(tmp_path, PATIENT, "--kcl-seeds", "2").stdout


@pytest.mark.parametrize("count", ["0", "-1"])
def test_no_seeds_at_all_are_refused(tmp_path: Path, count: str) -> None:
    done = run_pytest(tmp_path, PATIENT, f"--kcl-seeds={count}")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "a number from 1 on" in done.stdout + done.stderr


def test_a_failure_shows_what_happened_and_how_to_repeat_it(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, FAILS_UNDER_3, "--kcl-seeds", "5")

    assert "1 failed, 4 passed" in done.stdout
    assert done.stdout.count("- kcl_simulation -") == 1
    assert "run 1, seed 3:" in done.stdout
    assert "w1 dies" in done.stdout
    [again] = [line for line in done.stdout.splitlines() if line.startswith("to repeat it: ")]
    assert again == 'to repeat it: pytest "test_theirs.py::test_it[seed-3]" --kcl-seed 3'


def test_a_seed_far_beyond_the_others_is_repeated_alone_and_does_the_same(tmp_path: Path) -> None:
    both = [run_pytest(tmp_path, PATIENT, "--kcl-seed", "4711", "-s").stdout for _ in range(2)]

    said = [[line for line in out.splitlines() if "seed 4711" in line] for out in both]
    assert len(said[0]) == 1
    assert said[0] == said[1]
    assert "1 passed" in both[0]


def test_a_run_without_failures_says_nothing_of_it(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, PATIENT, "--kcl-seeds", "2", "-rA")

    assert "2 passed" in done.stdout
    assert "kcl_simulation -" not in done.stdout
    assert "dies" not in done.stdout


def test_a_test_may_name_its_own_seeds(tmp_path: Path) -> None:
    named = (
        "import pytest\n"
        "@pytest.mark.parametrize('kcl_simulation', [7, 8], indirect=True)\n"
        "def test_it(kcl_simulation):\n"
        "    assert kcl_simulation.seed in (7, 8)\n"
    )

    assert "2 passed" in run_pytest(tmp_path, named).stdout


ENGINE = """
import os, boto3

FOREIGN = {"AWS_PROFILE", "AWS_ENDPOINT_URL_KINESIS", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE"}

def test_1_finds_it_empty_and_fills_it(kcl_engine):
    kinesis = kcl_engine.session().client("kinesis")
    assert kinesis.list_streams()["StreamNames"] == []
    kinesis.create_stream(StreamName="people", ShardCount=1)
    boto3.client("dynamodb").create_table(
        TableName="mine",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

def test_2_finds_it_empty_again_whichever_way_it_looks(kcl_engine):
    for maker in (boto3, kcl_engine.session()):
        assert maker.client("kinesis").list_streams()["StreamNames"] == []
        assert maker.client("dynamodb").list_tables()["TableNames"] == []

def test_3_nothing_foreign_reaches_it(kcl_engine):
    assert FOREIGN.isdisjoint(os.environ)
    client = boto3.client("kinesis")
    assert client.meta.endpoint_url == kcl_engine.endpoint_url
    keys = client._request_signer._credentials.get_frozen_credentials()
    assert keys.access_key == "local" and keys.token is None

def test_4_nothing_of_it_is_left():
    assert FOREIGN <= set(os.environ)
    assert os.environ["AWS_ACCESS_KEY_ID"] == "theirs"
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert boto3.DEFAULT_SESSION is None
"""
THEIRS = {
    "AWS_PROFILE": "nobody",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


def test_an_engine_is_empty_and_alone_and_leaves_nothing(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, ENGINE, more={**THEIRS, "NO_PROXY": "", "no_proxy": ""})

    assert "4 passed" in done.stdout, done.stdout


def test_a_run_without_these_fixtures_loads_nothing(tmp_path: Path) -> None:
    theirs = (
        "import sys\n"
        "def test_it():\n"
        "    ours = [name for name in sys.modules if name.startswith('kcl_py')]\n"
        f"    assert sorted(ours) == ['kcl_py', 'kcl_py.testing', '{PLUGIN}']\n"
        "    assert not {'boto3', 'botocore', 'structlog', 'msgspec'} & set(sys.modules)\n"
    )

    assert "1 passed" in run_pytest(tmp_path, theirs).stdout
