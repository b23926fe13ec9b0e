"""Where does the environment of this process come from?

Alone in its file because configuration is pure: only `from_env()` without an argument comes here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def process_environment() -> Mapping[str, str]:
    """The environment variables of this process."""
    return os.environ
