"""How is a lifecycle hook of an Auto Scaling group told about an instance?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoRegionError

from kcl_py.aws.failures import error_code, public_error
from kcl_py.errors import ConfigError, NoCredentials

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 1.5
ATTEMPTS_MAX: Final = 2
"""A process that ends waits for this; without an answer the hook goes on by itself, later."""

# Source: what CompleteLifecycleAction answers when nothing waits; there is no code of its own.
_NOTHING_WAITS: Final = "No active Lifecycle Action"


class AutoScalingActions:
    """What can be said to one hook about one instance.

    Args:
        session: None: the default chain of boto3.
        region: None: that of the session.
        group: Of the hook.
        hook: Its name.
        instance: Whom it waits for.

    Raises:
        ConfigError: No region.
        NoCredentials: There are none.
    """

    def __init__(
        self,
        *,
        session: boto3.session.Session | None,
        region: str | None,
        group: str,
        hook: str,
        instance: str,
    ) -> None:
        self._client = _client(session or boto3.session.Session(), region)
        self._whom = {
            "LifecycleHookName": hook,
            "AutoScalingGroupName": group,
            "InstanceId": instance,
        }

    def heartbeat(self) -> None:
        """Begin the hook's timeout anew.

        Raises:
            KclError: Access, credentials, or the service.
        """
        self._call("RecordLifecycleActionHeartbeat", self._client.record_lifecycle_action_heartbeat)

    def complete(self) -> bool:
        """Let the group go on. False: nothing waits, as when the first of two answers was lost.

        Raises:
            KclError: Access, credentials, or the service.
        """
        return self._call(
            "CompleteLifecycleAction",
            lambda **whom: self._client.complete_lifecycle_action(
                LifecycleActionResult="CONTINUE", **whom
            ),
        )

    def _call(self, operation: str, call: Callable[..., object]) -> bool:
        try:
            call(**self._whom)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            if error_code(error) == "ValidationError" and _NOTHING_WAITS in str(error):
                return False
            raise public_error(error, f"autoscaling:{operation}") from None
        return True


def _client(session: boto3.session.Session, region: str | None) -> Any:  # noqa: ANN401 - a client
    try:
        if session.get_credentials() is None:
            raise NoCredentials("no AWS credentials were found to tell the lifecycle hook with")
        return session.client(
            "autoscaling",
            region_name=region or session.region_name,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": ATTEMPTS_MAX, "mode": "standard"},
                user_agent_extra="lib/kcl_py",
            ),
        )
    except NoRegionError:
        raise ConfigError("no AWS region is known for the lifecycle hook; set region") from None
    except BotoCoreError as error:
        raise public_error(error, "boto3:client") from None
