"""How is a stream made, described, changed and deleted? One call at a time; decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import boto3.session

from kcl_py.aws.decode import hook_kinesis
from kcl_py.aws.failures import describe, error_code, kind_of, public_error
from kcl_py.aws.retry import Patience, control_calls
from kcl_py.aws.tools import make_client
from kcl_py.core.events import FailureKind
from kcl_py.errors import KclError, SetupError, StreamNotFound, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

    from kcl_py.aws.names import StreamAddress

PAGES_MAX: Final = 10_000
STREAMS_PER_PAGE: Final = 1_000
CHANGE_ATTEMPTS_MAX: Final = 6


class StreamBusy(SetupError):
    """The stream is just being created, changed or deleted, or is there already."""

    exit_code = 4


class StreamInUse(SetupError):
    """Somebody else has a use for the stream."""

    exit_code = 4


class AnswerLost(Unavailable):
    """A change got no usable answer, so it may have been made."""


def make_stream_client(
    address: StreamAddress | None,
    *,
    session: boto3.session.Session | None,
    region: str | None,
    endpoint_url: str | None,
) -> KinesisClient:
    """A client that decodes records as a worker does, and never repeats a call by itself.

    Args:
        address: Its ARN says the region.
        session: None: the default chain of boto3.
        region: None: that of the ARN, then that of the session.
        endpoint_url: Another address for Kinesis.

    Raises:
        ConfigError: No region, or an endpoint that is none.
        NoCredentials: There are none.
    """
    client: KinesisClient = make_client(
        "kinesis",
        session=session or boto3.session.Session(),
        region=(address.region if address is not None else None) or region,
        endpoint_url=endpoint_url,
        attempts=1,
    )
    hook_kinesis(client)
    return client


class StreamAdmin:
    """Calls about one stream, or about all. Thread-safe."""

    def __init__(self, client: KinesisClient, patience: Patience | None = None) -> None:
        self._client = client
        self._patience = patience or Patience()

    def summary(self, address: StreamAddress) -> Mapping[str, Any]:
        """As DescribeStreamSummary gives it.

        Raises:
            StreamNotFound: It is not there.
        """
        answer = self._ask("DescribeStreamSummary", address, address.parameters)
        found: Mapping[str, Any] = answer.get("StreamDescriptionSummary") or {}
        needed = ("StreamName", "StreamARN", "StreamStatus", "OpenShardCount")
        if any(found.get(name) is None for name in needed):
            raise _unparsable("DescribeStreamSummary")
        return found

    def names(self) -> Iterator[str]:
        """Of all streams of this account and region."""
        which: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            answer = self._ask("ListStreams", None, {"Limit": STREAMS_PER_PAGE, **which})
            if answer.get("StreamNames") is None:
                raise _unparsable("ListStreams")
            yield from answer["StreamNames"]
            if not answer.get("HasMoreStreams"):
                return
            which = {"ExclusiveStartStreamName": answer["StreamNames"][-1]}

    def tags(self, address: StreamAddress) -> dict[str, str]:
        """All tags."""
        found: dict[str, str] = {}
        which: dict[str, Any] = {}
        for _ in range(PAGES_MAX):
            answer = self._ask("ListTagsForStream", address, {**address.parameters, **which})
            if answer.get("Tags") is None:
                raise _unparsable("ListTagsForStream")
            found |= {tag["Key"]: tag.get("Value", "") for tag in answer["Tags"]}
            if not answer.get("HasMoreTags"):
                break
            which = {"ExclusiveStartTagKey": answer["Tags"][-1]["Key"]}
        return found

    def consumers(self, arn: str) -> Iterator[Mapping[str, Any]]:
        """All registered consumers of a stream."""
        which: dict[str, Any] = {"StreamARN": arn}
        for _ in range(PAGES_MAX):
            answer = self._ask("ListStreamConsumers", None, which)
            if answer.get("Consumers") is None:
                raise _unparsable("ListStreamConsumers")
            yield from answer["Consumers"]
            if not answer.get("NextToken"):
                return
            which = {"StreamARN": arn, "NextToken": answer["NextToken"]}

    def takes_tags_at_birth(self) -> bool:
        """This botocore knows that CreateStream has tags."""
        shape = self._client.meta.service_model.operation_model("CreateStream").input_shape
        return "Tags" in getattr(shape, "members", {})

    def change(self, operation: str, address: StreamAddress, **parameters: Any) -> None:  # noqa: ANN401
        """Call an operation that changes the stream. Repeats only what was surely not done.

        Raises:
            StreamBusy: It is in a state in which it cannot be changed.
            AnswerLost: Perhaps it was changed.
            KclError: It was not.
        """
        calls = control_calls(
            self._patience, attempts=CHANGE_ATTEMPTS_MAX, kinds=(FailureKind.THROTTLED,)
        )
        try:
            calls(self._method(operation), **parameters)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            raise self._refused(error, operation, address) from None

    def _ask(
        self, operation: str, address: StreamAddress | None, parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = control_calls(self._patience)(
                self._method(operation), **parameters
            )
            return answer
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            raise self._refused(error, operation, address) from None

    def _method(self, operation: str) -> Callable[..., Any]:
        names = self._client.meta.method_to_api_mapping
        found: Callable[..., Any] = next(
            getattr(self._client, name) for name, api in names.items() if api == operation
        )
        return found

    def _refused(self, error: Exception, operation: str, address: StreamAddress | None) -> KclError:
        action = f"kinesis:{operation}"
        name = address.name if address is not None else "that is asked for"
        public = public_error(error, action)
        if kind_of(error) is FailureKind.GONE:
            return StreamNotFound(
                f"there is no stream {name} in {self._client.meta.region_name}; check name, region "
                "and account, or create it"
            )
        if error_code(error) == "ResourceInUseException":
            return StreamBusy(
                f"the stream {name} cannot be changed now ({action}: {describe(error)}); "
                "wait until it is ACTIVE"
            )
        if isinstance(public, Unavailable):
            return AnswerLost(str(public))
        return public


def _unparsable(operation: str) -> Unavailable:
    return Unavailable(f"kinesis:{operation} got an answer that says nothing; try again")
