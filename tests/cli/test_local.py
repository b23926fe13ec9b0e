"""Does `kcl local -- COMMAND` lead its child to the engine, whatever the environment says?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

KCL = (sys.executable, "-m", "kcl_py")
PATIENCE_SECONDS = 60

HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_SESSION_TOKEN": "a-token",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_REGION": "eu-north-1",
    "AWS_DEFAULT_REGION": "eu-north-1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ENDPOINT_URL": "https://example.invalid",
    "AWS_ENDPOINT_URL_KINESIS": "https://kinesis.example.invalid",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example.invalid",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/real",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/creds",
    "AWS_CA_BUNDLE": "/nowhere/ca.pem",
    "REQUESTS_CA_BUNDLE": "/nowhere/ca.pem",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
    "all_proxy": "http://127.0.0.1:1",
    "NO_PROXY": "example.com",
    "BOTO_CONFIG": "/nowhere/boto",
}

CONFIG = """
[profile production]
region = eu-north-1
endpoint_url = https://profile.example.invalid
"""

SCRIPT = """
import boto3, json
kinesis, dynamodb = boto3.client("kinesis"), boto3.client("dynamodb")
kinesis.create_stream(StreamName="mine", ShardCount=1)
print(json.dumps({
    "streams": kinesis.list_streams()["StreamNames"],
    "tables": dynamodb.list_tables()["TableNames"],
    "hosts": [client.meta.endpoint_url for client in (kinesis, dynamodb)],
}))
"""


def environment(**more: str) -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **more}


def kcl_local(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KCL, "local", *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def test_a_hostile_environment_leads_a_script_nowhere_else(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIG)
    hostile = HOSTILE | {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
    }

    done = kcl_local("--", sys.executable, "-c", SCRIPT, **hostile)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["streams"], said["tables"]) == (["mine"], [])
    assert all(host.startswith("http://127.0.0.1:") for host in said["hosts"])


def test_the_exit_code_of_the_command_is_ours() -> None:
    assert kcl_local("--", "sh", "-c", "exit 7").returncode == 7
    assert kcl_local("--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_flags_behind_the_command_are_the_commands() -> None:
    done = kcl_local("--", "echo", "--json", "-o", "x")

    assert (done.returncode, done.stdout) == (0, "--json -o x\n")


def test_a_command_that_is_not_there_says_so() -> None:
    done = kcl_local("--", "no-such-command-here")

    assert done.returncode == 127
    assert "there is no command 'no-such-command-here'" in done.stderr


def test_a_command_that_outlives_the_timeout_is_ended() -> None:
    done = kcl_local("--timeout", "500ms", "--", "sleep", "50")

    assert done.returncode == 5
    assert "sleep did not end within 500ms" in done.stderr


def test_sigterm_is_handed_on_to_the_command() -> None:
    script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        [*KCL, "local", "--", "sh", "-c", script],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 9


def test_alone_it_says_where_it_is_and_ends_at_sigterm() -> None:
    process = subprocess.Popen(
        [*KCL, "local", "-o", "json"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        facts = json.loads(process.stdout.readline())
        assert facts["endpoint_url"] == facts["environment"]["AWS_ENDPOINT_URL"]
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0


def test_it_dies_with_the_process_that_started_it() -> None:
    starter = (
        "import subprocess, sys;"
        "p = subprocess.Popen([sys.executable, '-m', 'kcl_py', 'local', '-o', 'json',"
        " '--with-parent'], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    pid = int(done.stdout)

    patience = time.monotonic() + PATIENCE_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < patience:
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.02)
    assert time.monotonic() < patience


def test_a_script_without_an_interpreter_cannot_be_executed(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello\n")
    script.chmod(0o755)

    for command in (script, script / "below"):
        done = subprocess.run(
            [*KCL, "local", "--", str(command)],
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 126, done
        assert "cannot be executed: " in done.stderr
        assert "bug" not in done.stderr
