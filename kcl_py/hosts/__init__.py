"""What does the machine or container say that a worker runs on: its name, its end, its CPU?"""

from __future__ import annotations

from kcl_py._config_notices import NoticeConfig
from kcl_py.hosts.companion import Notices
from kcl_py.hosts.composing import companions_for
from kcl_py.hosts.cpu import Cpu
from kcl_py.hosts.identity import named_after_host
from kcl_py.hosts.notices import Notice, NoticeSource
from kcl_py.hosts.systemd import SystemdNotifier

__all__ = [
    "Cpu",
    "Notice",
    "NoticeConfig",
    "NoticeSource",
    "Notices",
    "SystemdNotifier",
    "companions_for",
    "named_after_host",
]
