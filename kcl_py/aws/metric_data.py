"""How are metrics sent to CloudWatch? One request at a time, and never twice.

A request whose answer got lost may have been counted: repeated, it would count twice. So only one
that was throttled, which certainly was not, is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kcl_py.aws.failures import failure
from kcl_py.aws.retry import Patience, control_calls
from kcl_py.core.events import FailureKind

ATTEMPTS: Final = 3

_OF_OTHERS: Final = (
    "cloudwatch:PutMetricData: an answer without a request id, as of a proxy; check the endpoint "
    "and what is between"
)


class MetricData:
    """Sends data. For one thread.

    Args:
        client: Of CloudWatch.
        sleep: Waits so many seconds before something is.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - a client
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = client
        self._patience = Patience(sleep=sleep)

    def put(self, namespace: str, data: Sequence[Mapping[str, Any]]) -> str | None:
        """Send them, and return why that failed."""
        calls = control_calls(self._patience, attempts=ATTEMPTS, kinds=(FailureKind.THROTTLED,))
        try:
            answer = calls(self._client.put_metric_data, Namespace=namespace, MetricData=list(data))
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            seen = failure(error, "cloudwatch:PutMetricData")
            return f"{seen.action}: {seen.message}"
        return None if _is_of_the_service(answer) else _OF_OTHERS


def _is_of_the_service(answer: object) -> bool:
    """Say whether it may be: nothing is said by it, so the page of a proxy would pass for one."""
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, Mapping) else {}
    headers = metadata.get("HTTPHeaders")
    return not headers or bool(metadata.get("RequestId")) or "x-amzn-requestid" in headers
