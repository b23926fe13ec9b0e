"""Is a file of settings read as it says, refused where it is wrong, and outranked in order?"""

from __future__ import annotations

import contextlib
import json
import math
import random
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py import Batch, ConfigError, RecordProcessor, Worker, WorkerConfig
from kcl_py._config_sources import (
    Given,
    apply_sources,
    merge,
    parse_config_file,
    read_config_file,
)
from kcl_py.settings import known_settings

ALL = """
app = "orders"
stream = "people"
initial_position = 2026-11-21T10:00:00Z
stop_grace = 40

[on_error]
then = "pause"
backoff.first = "300ms"  # dotted
[on_error.backoff]
longest = "1m"

[leases]
duration = "5s"
max_leases = 20
scan_interval = "none"

[table]
create = false
[table.tags]
team = "data"
"cost center" = "4 7"
"""


class Nothing(RecordProcessor):
    def process_records(self, batch: Batch) -> None:
        pass


def written(folder: Path, text: str) -> Path:
    path = folder / "kcl.toml"
    path.write_text(text)
    return path


def test_a_file_says_what_a_flag_could_say(tmp_path: Path) -> None:
    text = ALL.replace('backoff.first = "300ms"  # dotted\n', "")

    config = WorkerConfig.from_env({}, file=written(tmp_path, text))

    assert config.initial_position.isoformat() == "2026-11-21T10:00:00+00:00"  # type: ignore[union-attr]
    assert (config.stop_grace, config.on_error.then) == (40.0, "pause")
    assert config.on_error.backoff.longest == 60.0
    assert (config.leases.duration, config.leases.max_leases) == (5.0, 20)
    assert config.leases.scan_interval is None
    assert config.table.create is False
    assert config.table.tags == {"team": "data", "cost center": "4 7"}


def test_a_variable_comes_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, "[leases]\nduration = '5s'\nsettle = '1s'\n")

    config = WorkerConfig.from_env({"KCL_LEASES_DURATION": "7s"}, file=path)

    assert (config.leases.duration, config.leases.settle) == (7.0, 1.0)
    assert config.leases.handoff_timeout == WorkerConfig().leases.handoff_timeout


def test_a_variable_names_the_file_unless_an_argument_does(tmp_path: Path) -> None:
    named = written(tmp_path, "stop_grace = 50")
    other = tmp_path / "other.toml"
    other.write_text("stop_grace = 60")

    assert WorkerConfig.from_env({"KCL_CONFIG": str(named)}).stop_grace == 50.0
    assert WorkerConfig.from_env({"KCL_CONFIG": str(named)}, file=other).stop_grace == 60.0


def test_a_worker_is_told_application_and_stream_by_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "app = 'orders'\nstream = 'people'\nworker_name = 'ann'")

    worker = Worker.from_env(Nothing, env={}, file=path)

    assert worker.worker_id.startswith("ann-")
    with pytest.raises(ConfigError, match="KCL_STREAM must be set"):
        Worker.from_env(Nothing, env={"KCL_APP_NAME": "x"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[leases]\nduration = 5 s\n", ("kcl.toml is no TOML", "line 2")),
        ("\n[leases]\ndurations = '5s'", ("kcl.toml line 3", "did you mean 'leases.duration'")),
        ("[lease]\nduration = '5s'", ("kcl.toml line 2", "'leases.duration'")),
        ("failoverTimeMillis = 10000", ("line 1", "leases.duration here, in seconds")),
        ("[leases]\nduration = true", ("line 2", "leases.duration = 'true'", "a duration")),
        ("[leases]\nmax_leases = 1.5", ("line 2", "a whole number")),
        ("initial_position = 2026-11-21T10:00:00", ("line 1", "time with its zone")),
        ("worker_name = ['a']", ("line 1", "is a list")),
        ("app = 7", ("line 1", "app must be a text")),
        ("[table.tags]\na = 'x,y'", ("the tag a", "comma")),
        ("[table.tags]\na = 7", ("the tag a",)),
        ("[leases]\nduration = 2", ("leases.duration = 2", "is from kcl.toml:leases.duration")),
        ("[[leases]]\nduration = 2", ("leases is a list",)),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(written(tmp_path, text).parent)

    with pytest.raises(ConfigError) as caught:
        WorkerConfig.from_env({}, file="kcl.toml")

    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file"):
        WorkerConfig.from_env({}, file=tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"app = '\xe4'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        WorkerConfig.from_env({}, file=tmp_path / "latin.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="longer than"):
        WorkerConfig.from_env({}, file=tmp_path / "large.toml")


@given(st.text(max_size=80))
def test_whatever_stands_in_a_file_is_read_or_refused_by_name(text: str) -> None:
    said = ""
    try:
        settings = set(parse_config_file("f.toml", text).settings)
    except ConfigError as error:
        settings, said = set(), str(error)

    assert said.startswith("f.toml") or not said
    assert settings <= set(known_settings())


def test_of_two_sources_the_earlier_one_wins_and_is_blamed() -> None:
    flags = {"leases.duration": Given("1s", "--set")}
    file = {"leases.duration": Given("2s", "f.toml:leases.duration")}

    assert merge(flags, file)["leases.duration"].origin == "--set"
    with pytest.raises(ConfigError, match=r"leases.duration is from --set"):
        apply_sources(WorkerConfig(), flags, file)


BROKEN = (
    ({"leases.duration": "1s"}, {"leases.duration"}),
    ({"stop_grace": "10s"}, {"stop_grace"}),
    ({"stop_grace": "20s", "leases.handoff_timeout": "30s"}, None),
    ({"on_error.backoff.first": "60s"}, {"on_error.backoff.first"}),
    ({"leases.duration": "5s", "leases.scan_interval": "4s"}, None),
    ({"leases.duration": "5s", "leases.fence_margin": "4s"}, None),
    ({"metrics.sink": "prometheus"}, {"metrics.sink"}),
    ({"on_error.then": "dead_letter"}, {"on_error.then"}),
    ({"worker_name": "shardId-region"}, {"worker_name"}),
    ({"worker_name": "of region and transport"}, {"worker_name"}),
    ({"failoverTimeMillis": "5000"}, {"failoverTimeMillis"}),
    ({"leases.durations": "5s"}, {"leases.durations"}),
    ({"leases.settle": "soon"}, {"leases.settle"}),
)
"""Settings that are wrong, alone or together, and those that are to blame; None: all of them."""

HARMLESS = {
    "leases.duration": "9s",
    "leases.settle": "1s",
    "health.port": "8080",
    "region": "eu-west-1",
    "transport": "botocore",
    "on_error.dead_letters": "none",
    "on_error.attempts": "3",
    "metrics.level": "summary",
    "initial_position": "latest",
}


@given(
    st.sampled_from(BROKEN),
    st.sets(st.sampled_from(sorted(HARMLESS))),
    st.randoms(use_true_random=False),
)
def test_only_what_has_a_part_in_an_error_is_blamed_for_it(
    broken: tuple[dict[str, str], set[str] | None], more: set[str], rng: random.Random
) -> None:
    wrong, guilty = broken
    said = {name: HARMLESS[name] for name in more} | wrong
    names = list(said)
    rng.shuffle(names)
    sources = [{name: Given(said[name], f"<{name}>")} for name in names]

    with pytest.raises(ConfigError) as caught:
        apply_sources(WorkerConfig(), *sources)

    blamed = set(re.findall(r"is from <([^>]+)>", str(caught.value)))
    assert blamed == (guilty or set(wrong)), str(caught.value)


# -------------------------------------------------------------------------- whatever is in a file

_scalars = (
    st.booleans().map(lambda value: str(value).lower())
    | st.integers(-(2**70), 2**70).map(str)
    | st.sampled_from(["9" * 5000, "0x" + "f" * 3500, "0x" + "f" * 5000])
    | st.floats().map(lambda value: repr(value) if value == value else "nan")  # noqa: PLR0124 - nan
    | st.text(st.characters(codec="utf-8")).map(json.dumps)
    | st.sampled_from(
        ["1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "[1]", "{a = 1}", '"1e999"']
    )
    | st.from_regex(r"[0-9]{1,400}(ms|s|m|h|GiB)", fullmatch=True).map(json.dumps)
)


@given(st.dictionaries(st.sampled_from([*known_settings(), "app", "leases", "no.such"]), _scalars))
def test_whatever_a_file_says_it_is_a_configuration_or_a_clear_error(said: dict[str, str]) -> None:
    text = "".join(f"{name} = {value}\n" for name, value in said.items())
    try:
        config = apply_sources(WorkerConfig(), parse_config_file("f.toml", text).settings)
    except ConfigError as error:
        told = str(error)
    else:
        told = ""
        assert all(math.isfinite(value) for value in _numbers(config))
    assert len(told) < 1000, "nobody reads more"


def _numbers(config: object) -> Iterator[float]:
    for each in fields(config):  # type: ignore[arg-type]  # all are dataclasses
        value = getattr(config, each.name)
        if is_dataclass(value):
            yield from _numbers(value)
        elif isinstance(value, int | float):
            yield value


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_whatever_bytes_a_file_has_it_is_a_configuration_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("config") / "f.toml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        read_config_file(path)


def test_two_spellings_of_one_setting_are_refused() -> None:
    text = '"leases.duration" = "5s"\n[leases]\nduration = "7s"\n'

    with pytest.raises(ConfigError, match=r"leases\.duration is there twice"):
        parse_config_file("f.toml", text)


def test_a_mark_at_the_beginning_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text('app = "orders"', encoding="utf-8-sig")

    assert read_config_file(path).app == "orders"


def test_a_path_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="cannot be read: embedded null byte; check its name"):
        read_config_file("a\0b")
