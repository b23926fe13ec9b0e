"""Is a file of checkpoints written as a whole, and nothing else harmed, whatever is there?"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from kcl_py.cli.repairing.checkpoint_files import _read, _replace
from kcl_py.errors import ConfigError

TEXT = "{}\n" * 1000


def test_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for text in ("old", TEXT):
        _replace(tmp_path / "saved.json", text)
        assert _read(tmp_path / "saved.json") == text

    assert [path.name for path in tmp_path.iterdir()] == ["saved.json"]


def test_through_a_link_the_file_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "saved.json"
    link.symlink_to("there/real.json")

    _replace(link, TEXT)

    assert link.is_symlink()
    assert (tmp_path / "there" / "real.json").read_text() == TEXT


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()

    _replace(pipe, TEXT)
    reader.join()

    assert got == [TEXT]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_disk_that_is_full_is_a_clear_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full")

    with pytest.raises(ConfigError, match="/dev/full cannot be written: No space left"):
        _replace(full, TEXT)

    assert full.is_char_device()


@pytest.mark.parametrize("name", ["", "..", "no/where.json", "a\0b", "circle", "folder"])
def test_what_cannot_be_written_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigError, match="cannot be written: "):
        _replace(tmp_path / name, TEXT)

    assert {path.name for path in tmp_path.iterdir()} == {"circle", "folder"}


def test_a_write_that_ends_early_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "saved.json"
    _replace(file, "old")

    def interrupted(_number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _replace(file, TEXT)

    assert _read(file) == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["saved.json"]


def test_a_mark_of_some_editors_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "saved.json").write_text("{}", encoding="utf-8-sig")

    assert _read(tmp_path / "saved.json") == "{}"


@pytest.mark.parametrize("content", ["{}".encode("utf-16"), b"\xff"])
def test_another_encoding_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "saved.json").write_bytes(content)

    with pytest.raises(ConfigError, match="is not UTF-8; save it as UTF-8"):
        _read(tmp_path / "saved.json")
