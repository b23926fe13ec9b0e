"""What do tests of permissions share? An engine that notes who calls what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import bare, kcl
from tests.iam.recorder import Recorder, recording

__all__ = ["bare", "kcl", "recorder"]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with recording(monkeypatch) as running:
        yield running
