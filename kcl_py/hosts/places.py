"""Where does this process run, and whom may it ask? Decided from variables and hints alone.

Asking the metadata service of EC2 where there is none costs a timeout, and on other clouds the same
address is somebody else's. So it is asked only where something says that the machine is EC2's: the
vendor that the firmware names, or whoever set the address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Place: TypeAlias = Literal["ecs", "kubernetes", "ec2", "other"]

ECS_VARIABLE: Final = "ECS_CONTAINER_METADATA_URI_V4"
KUBERNETES_VARIABLE: Final = "KUBERNETES_SERVICE_HOST"

# Source: botocore, which reads the same variables (the files that it reads besides are not read).
ENDPOINT_VARIABLE: Final = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
MODE_VARIABLE: Final = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
DISABLED_VARIABLE: Final = "AWS_EC2_METADATA_DISABLED"
ENDPOINT_IPV4: Final = "http://169.254.169.254"
ENDPOINT_IPV6: Final = "http://[fd00:ec2::254]"

INSTANCE_ID: Final = re.compile(r"i-[0-9a-f]{8,17}")
VENDOR: Final = "Amazon EC2"  # Source: EC2, "Detect whether a host is an EC2 instance".
HYPERVISOR_PREFIX: Final = "ec2"  # Source: as above, for Xen.


@dataclass(frozen=True, slots=True)
class Hints:
    """What Linux shows of the firmware; empty where it does not.

    Attributes:
        vendor: /sys/class/dmi/id/sys_vendor.
        asset_tag: /sys/class/dmi/id/board_asset_tag; the instance id, on Nitro.
        hypervisor: /sys/hypervisor/uuid.
    """

    vendor: str = ""
    asset_tag: str = ""
    hypervisor: str = ""


def place_of(env: Mapping[str, str], hints: Hints) -> Place:
    """Say where this process runs; a container before the machine under it."""
    if env.get(ECS_VARIABLE):
        return "ecs"
    if env.get(KUBERNETES_VARIABLE):
        return "kubernetes"
    if env.get(ENDPOINT_VARIABLE) and imds_endpoint(env) is not None:
        return "ec2"
    if hints.vendor == VENDOR or hints.hypervisor.lower().startswith(HYPERVISOR_PREFIX):
        return "ec2"
    return "other"


def imds_endpoint(env: Mapping[str, str]) -> str | None:
    """Address of the instance metadata service, without a slash at its end; None: forbidden."""
    if env.get(DISABLED_VARIABLE, "").lower() == "true":
        return None
    given = env.get(ENDPOINT_VARIABLE)
    if given:
        return given.rstrip("/")
    is_ipv6 = env.get(MODE_VARIABLE, "").lower() == "ipv6"
    return ENDPOINT_IPV6 if is_ipv6 else ENDPOINT_IPV4


def instance_id_of(hints: Hints) -> str | None:
    """The instance id, if the firmware has it; nobody need be asked then."""
    return hints.asset_tag if INSTANCE_ID.fullmatch(hints.asset_tag) else None
