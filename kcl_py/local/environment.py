"""Which environment keeps a child process away from real AWS?"""

from __future__ import annotations

import os
from collections.abc import Mapping

REGION = "us-east-1"
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - a dummy; the engine checks no signature

_LOOPBACK = ("127.0.0.1", "localhost")
_KEPT_AWS = frozenset({"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"})
_BOTO = frozenset({"BOTO_CONFIG", "BOTO3_PROFILE"})
_CERTIFICATES = frozenset({"REQUESTS_CA_BUNDLE"})


def clean_environment(
    base: Mapping[str, str], endpoint_url: str, *, empty_file: str = os.devnull
) -> dict[str, str]:
    """A whole environment for a child: `base` without anything that could lead it elsewhere.

    Every AWS variable goes, whatever its name, because new ones appear with every SDK. Proxies
    stay, for what else the child may want, but not for this machine.

    Args:
        base: The environment to start from, usually the parent's own.
        endpoint_url: Where the engine listens.
        empty_file: Takes the place of the configuration and credentials files.
    """
    clean = {name: value for name, value in base.items() if not _leads_elsewhere(name)}
    clean.update(
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ACCESS_KEY_ID=ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY=SECRET_ACCESS_KEY,
        AWS_CONFIG_FILE=empty_file,
        AWS_SHARED_CREDENTIALS_FILE=empty_file,
        AWS_EC2_METADATA_DISABLED="true",
    )
    for name in ("NO_PROXY", "no_proxy"):
        clean[name] = _without_proxy(base)
    return clean


def _leads_elsewhere(name: str) -> bool:
    upper = name.upper()
    if upper in _KEPT_AWS:
        return False
    return upper.startswith("AWS_") or upper in _BOTO or upper in _CERTIFICATES


def _without_proxy(base: Mapping[str, str]) -> str:
    """Hosts that are reached directly: those given in either spelling, and this machine."""
    given = ",".join((base.get("NO_PROXY", ""), base.get("no_proxy", "")))
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    return ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))
