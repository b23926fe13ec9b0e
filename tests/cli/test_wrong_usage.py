"""What does wrong usage get? One line that names the thing and the way out, and exit code 2."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import get_type_hints

import boto3
import pytest

from kcl_py.aws.tools import make_client
from kcl_py.cli.errors import FLAGS_OF_ALL
from kcl_py.cli.options import Shared
from kcl_py.settings import ONLY_FLAGS
from tests.cli.typed import Kcl

RUN = ("run", "app:Good", "--app", "demo", "--stream", "people")

APP = """
from kcl_py import RecordProcessor

class Good(RecordProcessor):
    def process_records(self, batch): ...

class Lazy(RecordProcessor):
    pass

def two(batch, more): ...

NUMBER = 42
"""


@pytest.fixture
def app(tmp_path: Path, bare: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delitem(sys.modules, "app", raising=False)
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def test_an_unknown_command_is_answered_with_the_nearest(kcl: Kcl) -> None:
    assert kcl("lease").failed(2, "No such command 'lease'", "'leases'")


def test_an_unknown_option_is_answered_with_the_nearest(kcl: Kcl) -> None:
    assert kcl("leases", "--ap", "x").failed(2, "there is no option --ap", "--app")


def test_an_unknown_option_far_from_all_points_at_the_help(kcl: Kcl) -> None:
    assert kcl("leases", "--qqqq").failed(2, "there is no option --qqqq", "kcl leases --help")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["run", "app:Good", "--name", "demo"], ["--name", "did you mean --app"]),
        (["run", "app:Good", "--workers", "3"], ["did you mean --processes"]),
        (["run", "app:Good", "people", "--app", "demo"], ["people", "--stream"]),
        (["stream", "scale", "orders"], ["orders is no number of shards", "as 8"]),
        (["stream", "scale", "orders", "8", "9"], ["[STREAM] N", "as orders 8"]),
        (["stream", "scale", "8"], ["--stream NAME|ARN"]),
        (["stream", "retention", "orders"], ["retention orders is not allowed", "48h"]),
        (["stream", "monitoring", "orders"], ["[STREAM] on|off [METRIC]...", "as orders on"]),
        (["stream", "tags", "orders", "team"], ["team is no tag", "KEY=VALUE"]),
        (["stream", "scale", "one", "2", "--stream", "other"], ["two streams are named"]),
        (["--app", "demo", "leases"], ["--app goes behind the command", "kcl COMMAND --app"]),
        (["--name", "demo", "leases"], ["kcl COMMAND --app"]),
        (["leases", "list"], ["'list'", "kcl leases by itself"]),
        (["checkpoint", "list"], ["'list'", "show, reset, export, import"]),
        (["start", "app:Good"], ["'start'", "kcl run"]),
        (["put", "orders"], ["'orders' is taken for the data", "kcl put STREAM DATA"]),
    ],
)
def test_what_others_would_type_is_answered_with_what_is_meant(
    kcl: Kcl, app: Path, typed: list[str], words: list[str]
) -> None:
    assert kcl(*typed).failed(2, *words)


@pytest.mark.parametrize(
    "place", ["nonsense", "", "now", "2026-11-21T10:00", "-15x", "at:x", "after:1/x", "LATEST,"]
)
def test_a_place_that_is_none_is_refused_before_anybody_is_asked(kcl: Kcl, place: str) -> None:
    # There are no credentials here: whoever asked AWS would be told of these.
    assert kcl("checkpoint", "reset", "--to", place, "--app", "x", "--yes").failed(
        2, f"--to {place!r} is no place to begin", "earliest, latest,", "-15m", "after:SEQ/SUB"
    )


def test_a_place_in_a_shard_needs_the_shard_before_anybody_is_asked(kcl: Kcl) -> None:
    at = ("checkpoint", "reset", "--to", "at:4711/0", "--app", "x")

    assert kcl(*at).failed(2, "--to at:4711/0 is a place in one shard", "--shard")
    assert kcl(*at, "--shard", "shardId-000000000000").failed(3, "no AWS credentials")


@pytest.mark.parametrize("typed", ["soon", "0s", "-1s", "9999999999s", "9" * 400 + "h"])
def test_a_time_that_nobody_can_wait_for_is_refused(kcl: Kcl, typed: str) -> None:
    assert kcl("local", f"--timeout={typed}", "--", "true").failed(2, "--timeout", "30s or 5m")


def test_an_engine_that_cannot_start_says_why(kcl: Kcl, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert kcl("local", "--port", port, "--", "true").failed(2, f"port {port}", "in use")
    assert kcl("local", "--data", "file/below", "--", "true").failed(2, "file/below", "directory")
    assert kcl("local", "--port", "70000", "--", "true").failed(2, "65535")


def test_two_dashes_before_a_command_do_no_harm(kcl: Kcl) -> None:
    assert kcl("--", "leases").failed(2, "--app NAME", "KCL_APP_NAME")
    assert kcl("stream", "--", "scale", "8").failed(2, "--stream NAME|ARN")


def test_a_module_that_ends_the_program_is_wrong_usage(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ends", raising=False)
    app.with_name("ends.py").write_text("import sys\nsys.exit(0)\n")

    assert kcl("run", "ends:thing", "--app", "x", "--stream", "y", "--region", "eu-west-1").failed(
        2, "'ends' ends the program", "SystemExit: 0", "__main__"
    )


def test_no_stream_is_offered_where_none_is_meant(kcl: Kcl) -> None:
    typed = kcl("leases", "release", "shardId-1", "shardId-2")

    assert typed.failed(2, "shardId-2", "kcl leases release --help")
    assert "--stream" not in typed.err


def test_the_flags_of_all_commands_are_known_by_name() -> None:
    options = [
        hint.__metadata__[0] for hint in get_type_hints(Shared, include_extras=True).values()
    ]
    known = {flag for option in options for flag in (option.default, *option.param_decls)}

    assert known == FLAGS_OF_ALL
    assert known >= ONLY_FLAGS - {"--processes"}


def test_a_value_out_of_the_list_names_the_list(kcl: Kcl) -> None:
    assert kcl("leases", "-o", "xml").failed(2, "'xml'", "json")


def test_no_command_shows_all(kcl: Kcl) -> None:
    typed = kcl()

    assert typed.code == 2
    assert all(name in typed.err for name in ("run", "demo", "local", "leases"))


def test_version_and_help_go_to_stdout(kcl: Kcl) -> None:
    assert kcl("--version").out.startswith("kcl_py ")
    assert "--audit-log" not in kcl("run", "--help").out


def test_a_missing_application_names_flag_and_variable(kcl: Kcl) -> None:
    assert kcl("leases").failed(2, "--app NAME", "KCL_APP_NAME")


def test_a_missing_stream_names_flag_and_variable(kcl: Kcl) -> None:
    assert kcl("run", "a:b", "--app", "x").failed(2, "--stream NAME|ARN", "KCL_STREAM")


def test_an_unknown_setting_is_answered_with_the_nearest(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "leases.durations=5s").failed(
        2, "leases.durations", "'leases.duration'"
    )


def test_a_java_setting_is_translated(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "failoverTimeMillis=5000").failed(
        2, "leases.duration here, in seconds"
    )


def test_a_setting_without_a_value_shows_the_form(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "leases.duration").failed(2, "name=value")


def test_a_setting_out_of_range_names_the_range(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "leases.duration=1s").failed(2, "leases.duration", "3", "300")


def test_contradictory_settings_name_both(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "leases.handoff_timeout=30s").failed(
        2, "leases.handoff_timeout", "stop_grace"
    )


def test_a_timeout_that_is_none_shows_the_form(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--timeout", "soon").failed(2, "--timeout soon", "30s")


def test_a_wrong_variable_of_a_setting_is_refused(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KCL_LEASES_DURATION", "often")

    assert kcl(*RUN).failed(2, "leases.duration", "10s")


@pytest.mark.filterwarnings("default")
def test_an_unknown_variable_only_warns(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KCL_LEASE_DURATION", "5s")

    typed = kcl(*RUN, "--set", "leases.duration=1s")

    assert "warning: KCL_LEASE_DURATION has no meaning here; did you mean" in typed.err
    assert typed.code == 2


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("KCL_LOG_LEVEL", "--log-level"),
        ("KCL_ENDPOINT_URL", "--endpoint-url"),
        ("KCL_APP", "'KCL_APP_NAME'"),
        ("KCL_STREAM_ARN", "'KCL_STREAM'"),
        ("KCL_HEALTHPORT", "'KCL_HEALTH_PORT'"),
        ("KCL_POSITION", "'KCL_INITIAL_POSITION'"),
        ("KCL_DEAD_LETTERS", "'KCL_ON_ERROR_DEAD_LETTERS'"),
        ("KCL_LEASES_FOO", "KCL_LEASES_DURATION, KCL_LEASES_FENCE_MARGIN"),
        ("KCL_FAILOVER_TIME_MILLIS", "leases.duration"),
        ("KCL_FOO", "kcl config show"),
    ],
)
def test_an_unknown_variable_is_answered_once_with_what_is_meant(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch, variable: str, says: str
) -> None:
    monkeypatch.setenv(variable, "5")

    typed = kcl("config", "show")

    assert typed.code == 0
    assert typed.err.count("warning:") == 1
    assert typed.err.startswith(f"warning: {variable} has no meaning here; ")
    assert says in typed.err


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"])
def test_an_empty_endpoint_is_told_of(
    bare: None, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "")
    session = boto3.session.Session("id", "secret", region_name="eu-central-1")

    with pytest.warns(UserWarning, match=f"{variable} is set and empty") as told:
        make_client("dynamodb", session=session)

    assert "https://dynamodb.eu-central-1.amazonaws.com" in str(told[0].message)


def test_an_empty_endpoint_beside_an_address_is_no_matter(
    bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    session = boto3.session.Session("id", "secret", region_name="eu-central-1")

    client = make_client("dynamodb", session=session, endpoint_url="http://127.0.0.1:1")

    assert client.meta.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('app_name = "x"', ["line 1", "'app_name'", "in a file app"]),
        ('applicationName = "x"', ["in a file app"]),
        ('streamName = "x"', ["in a file stream"]),
    ],
)
def test_the_names_of_application_and_stream_in_a_file_are_told(
    kcl: Kcl, tmp_path: Path, line: str, words: list[str]
) -> None:
    (tmp_path / "kcl.toml").write_text(line)

    assert kcl("config", "show", "--config", str(tmp_path / "kcl.toml")).failed(2, *words)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("kcl.toml", "app = orders", ["no TOML", 'as app = "orders"']),
        ("a.properties", "streamName = words", ["migrate-from-the-kcl", "kcl-names.md"]),
    ],
)
def test_a_file_that_is_no_toml_is_answered_with_what_may_be_wrong(
    kcl: Kcl, tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(text)

    assert kcl("config", "show", "--config", str(tmp_path / name)).failed(2, *words)


def test_a_flag_goes_before_the_environment(
    kcl: Kcl, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KCL_LEASES_DURATION", "1s")

    typed = kcl(*RUN, "--set", "leases.duration=2s")

    assert typed.failed(2, "leases.duration = 2")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("app", ["package.module:thing"]),
        ("nowhere.app:Good", ["there is no module 'nowhere'"]),
        ("apq:Good", ["there is no module 'apq'", "did you mean app?"]),
        ("app:Goood", ["app has no 'Goood'", "did you mean Good?"]),
        ("app:NUMBER", ["is a int, which cannot be called"]),
        ("app:Lazy", ["process_records"]),
        ("app:two", ["two"]),
    ],
)
def test_a_processor_that_cannot_be_one_says_why(
    kcl: Kcl, app: Path, spec: str, words: list[str]
) -> None:
    assert kcl("run", spec, "--app", "demo", "--stream", "people").failed(2, *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import numpie", ["module 'broken' needs 'numpie'", "install it"]),
        ("def f(:", ["syntax error", "line 1"]),
        ("1 / 0", ["fails when it is imported: ZeroDivisionError"]),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(
    kcl: Kcl, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "broken.py").write_text(text)

    assert kcl("run", "broken:f", "--app", "demo", "--stream", "people").failed(2, *words)


def test_a_worker_name_that_looks_like_another_row_is_refused(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "worker_name=Leader").failed(2, "worker_name", "'Leader'")
    assert kcl(*RUN, "--set", "worker_name=shardId-000000000001").failed(2, "worker_name")


def test_an_application_name_that_is_no_table_name_is_refused(kcl: Kcl, app: Path) -> None:
    assert kcl("run", "app:Good", "--app", "a/b", "--stream", "people").failed(2, "app_name", "a/b")


def test_a_stream_that_is_neither_name_nor_arn_is_refused(kcl: Kcl, app: Path) -> None:
    assert kcl("run", "app:Good", "--app", "demo", "--stream", "a b").failed(2, "stream", "ARN")


def test_debug_shows_the_traceback_besides(kcl: Kcl, app: Path) -> None:
    typed = kcl("run", "app:two", "--app", "demo", "--stream", "people", "--debug")

    assert typed.code == 2
    assert "Traceback" in typed.err
    assert len(typed.errors) == 1


@pytest.mark.parametrize("more", [(), ("--processes", "2")])
def test_notices_of_ec2_that_must_not_be_asked_for_are_refused(
    kcl: Kcl, app: Path, more: tuple[str, ...]
) -> None:
    watch = ("--set", "notices.watch=ec2")
    assert kcl(*RUN, *watch, *more).failed(2, "notices.watch", "AWS_EC2_METADATA_DISABLED")


def test_notices_of_somebody_unknown_are_refused(kcl: Kcl, app: Path) -> None:
    assert kcl(*RUN, "--set", "notices.watch=aws").failed(2, "notices.watch", "'auto'", "'ec2'")
    assert kcl(*RUN, "--set", "notices.lifecycle_hook=").failed(2, "notices.lifecycle_hook")
