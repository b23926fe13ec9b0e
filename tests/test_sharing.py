"""Is plain `pytest` shared among the cores, and nothing else?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.sharing import share

Source = pytest.Config.ArgsSource
PLAIN = "not bounds"


def after(*, source: object = Source.TESTPATHS, xdist: bool = True, **options: Any) -> Any:
    """The options when pytest-xdist reads them."""
    every = {"markexpr": PLAIN, "keyword": "", "usepdb": False}
    chosen = {"numprocesses": None, "dist": "no"} if xdist else {}
    config: Any = SimpleNamespace(
        args_source=source,
        getini=lambda name: ["-m", PLAIN],
        option=SimpleNamespace(**{**every, **chosen, **options}),
        pluginmanager=SimpleNamespace(hasplugin=lambda name: xdist),
    )
    share(config)
    return config.option


def test_plain_pytest_is_shared() -> None:
    options = after()

    assert (options.numprocesses, options.dist) == ("auto", "worksteal")


@pytest.mark.parametrize(
    "chosen",
    [
        {"source": Source.ARGS},
        {"markexpr": "bounds"},
        {"keyword": "lease"},
        {"usepdb": True},
        {"numprocesses": 0},
        {"numprocesses": 3},
    ],
    ids=str,
)
def test_what_is_selected_or_said_stays_as_it_is(chosen: dict[str, Any]) -> None:
    options = after(**chosen)

    assert options.numprocesses == chosen.get("numprocesses")
    assert options.dist == "no"


def test_without_xdist_everything_runs_in_one_process() -> None:
    assert not hasattr(after(xdist=False), "numprocesses")
