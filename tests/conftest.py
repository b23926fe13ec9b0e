"""How do all tests run? The same examples every time, and no deadline on a busy machine."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

if "KCL_TEST_RECORD_CALLS" in os.environ:
    from tests.iam import suite

    suite.record(Path(os.environ[suite.VARIABLE]))
    suite.record_children()
