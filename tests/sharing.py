"""Which runs of the suite are shared among the cores? Plain `pytest`, and nothing that is selected.

Much of the suite waits for processes of its own. What measures times wants the machine for itself,
and few tests are not worth a second process.
"""

from __future__ import annotations

import pytest


def share(config: pytest.Config) -> None:
    """Ask pytest-xdist for as many processes as there are cores, unless somebody chose a number."""
    options = config.option
    is_plain = (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and options.markexpr in config.getini("addopts")
        and not options.keyword
        and not options.usepdb
        and not hasattr(config, "workerinput")  # one of those processes
    )
    if is_plain and config.pluginmanager.hasplugin("xdist") and options.numprocesses is None:
        options.numprocesses, options.dist = "auto", "worksteal"
