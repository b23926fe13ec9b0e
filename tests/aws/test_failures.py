"""Every exception of boto3 has one meaning, and no message holds a secret."""

from __future__ import annotations

import pickle

import botocore.exceptions as boto
import pytest
from botocore.parsers import ResponseParserError

from kcl_py.aws.failures import UnparsableAnswerError, describe, failure, kind_of, public_error
from kcl_py.core.events import FailureKind
from kcl_py.errors import (
    AccessDenied,
    ConfigError,
    KclError,
    NoCredentials,
    SetupError,
    Throttled,
    Unavailable,
)

SECRET = "FwoGZXIvYXdzEXAMPLETOKEN"


def client_error(code: str, status: int = 400, message: str = "what happened") -> boto.ClientError:
    return boto.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item] # as short as can be
        },
        "GetRecords",
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", FailureKind.THROTTLED),
        ("Throttling", FailureKind.THROTTLED),
        ("ProvisionedThroughputExceededException", FailureKind.THROTTLED),
        ("RequestLimitExceeded", FailureKind.THROTTLED),
        ("LimitExceededException", FailureKind.THROTTLED),
        ("TransactionConflictException", FailureKind.THROTTLED),
        ("KMSThrottlingException", FailureKind.THROTTLED),
        ("KMSAccessDeniedException", FailureKind.DENIED),
        ("KMSDisabledException", FailureKind.DENIED),
        ("KMSInvalidStateException", FailureKind.DENIED),
        ("KMSNotFoundException", FailureKind.DENIED),
        ("KMSOptInRequired", FailureKind.DENIED),
        ("AccessDeniedException", FailureKind.DENIED),
        ("UnrecognizedClientException", FailureKind.DENIED),
        ("ExpiredTokenException", FailureKind.DENIED),
        ("ExpiredToken", FailureKind.DENIED),
        ("InvalidSignatureException", FailureKind.DENIED),
        ("MissingAuthenticationTokenException", FailureKind.DENIED),
        ("ExpiredIteratorException", FailureKind.EXPIRED),
        ("ExpiredNextTokenException", FailureKind.EXPIRED),
        ("InvalidArgumentException", FailureKind.INVALID),
        ("ValidationException", FailureKind.INVALID),
        ("SerializationException", FailureKind.INVALID),
        ("ResourceNotFoundException", FailureKind.GONE),
        ("ResourceInUseException", FailureKind.UNKNOWN),
        ("InternalServerError", FailureKind.UNKNOWN),
        ("InternalFailure", FailureKind.UNKNOWN),
        ("InternalFailureException", FailureKind.UNKNOWN),
        ("ServiceUnavailable", FailureKind.UNKNOWN),
    ],
)
def test_each_error_code_has_its_kind(code: str, kind: FailureKind) -> None:
    assert kind_of(client_error(code)) is kind
    assert failure(client_error(code), "kinesis:GetRecords").action == "kinesis:GetRecords"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NeverSeenException", 400, FailureKind.INVALID),
        ("NeverSeenException", 500, FailureKind.UNKNOWN),
        ("NeverSeenException", 503, FailureKind.UNKNOWN),
        ("503", 503, FailureKind.UNKNOWN),
        ("400", 400, FailureKind.UNKNOWN),
        ("", 302, FailureKind.UNKNOWN),
        ("", 408, FailureKind.UNKNOWN),
        ("", 429, FailureKind.THROTTLED),
        ("", 403, FailureKind.DENIED),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(code: str, status: int, kind: FailureKind) -> None:
    assert kind_of(client_error(code, status)) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.ConnectTimeoutError(endpoint_url="https://k"), FailureKind.UNKNOWN),
        (boto.ReadTimeoutError(endpoint_url="https://k"), FailureKind.UNKNOWN),
        (boto.EndpointConnectionError(endpoint_url="https://k"), FailureKind.UNKNOWN),
        (boto.ConnectionClosedError(endpoint_url="https://k"), FailureKind.UNKNOWN),
        (boto.SSLError(endpoint_url="https://k", error=OSError("bad")), FailureKind.UNKNOWN),
        (boto.ProxyConnectionError(proxy_url="http://p", error="x"), FailureKind.UNKNOWN),
        (boto.HTTPClientError(error="x"), FailureKind.UNKNOWN),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), FailureKind.UNKNOWN),
        (ResponseParserError("no"), FailureKind.UNKNOWN),
        (UnparsableAnswerError("half an answer"), FailureKind.UNKNOWN),
        (TimeoutError(), FailureKind.UNKNOWN),
        (ConnectionResetError(), FailureKind.UNKNOWN),
        (KeyError("a bug"), FailureKind.UNKNOWN),
        (boto.NoCredentialsError(), FailureKind.DENIED),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), FailureKind.DENIED),
        (boto.CredentialRetrievalError(provider="iam", error_msg="x"), FailureKind.DENIED),
        (boto.UnauthorizedSSOTokenError(), FailureKind.DENIED),
        (boto.MetadataRetrievalError(error_msg="x"), FailureKind.DENIED),
        (boto.ParamValidationError(report="x"), FailureKind.INVALID),
        (boto.NoRegionError(), FailureKind.INVALID),
    ],
)
def test_errors_without_an_answer_have_their_kind(error: Exception, kind: FailureKind) -> None:
    assert kind_of(error) is kind


def test_an_answer_with_nothing_in_it_is_unknown() -> None:
    assert kind_of(boto.ClientError({}, "GetRecords")) is FailureKind.UNKNOWN


def test_a_message_is_the_first_line_of_what_the_service_said() -> None:
    error = client_error("ValidationException", message="line one\nline two")

    assert describe(error) == "ValidationException: line one"


@pytest.mark.parametrize(
    "error",
    [
        client_error("InvalidSignatureException", 403, f"canonical string: {SECRET}"),
        client_error("IncompleteSignatureException", 400, SECRET),
        client_error("NeverSeenException", 400, SECRET),
        client_error(f"<html>{SECRET}", 502, SECRET),
        boto.HTTPClientError(error=SECRET),
        boto.ParamValidationError(report=SECRET),
        boto.ProxyConnectionError(proxy_url=f"http://user:{SECRET}@proxy", error=SECRET),
        boto.EndpointConnectionError(endpoint_url=f"https://user:{SECRET}@host:1/x", error="x"),
        boto.CredentialRetrievalError(provider="process", error_msg=SECRET),
        RuntimeError(SECRET),
    ],
)
def test_no_message_tells_a_secret(error: Exception) -> None:
    assert SECRET not in failure(error, "kinesis:GetRecords").message
    assert SECRET not in str(public_error(error, "kinesis:GetRecords"))


def test_a_network_error_names_the_host() -> None:
    error = boto.EndpointConnectionError(endpoint_url="https://user:word@host.example:44/path?q=1")

    assert describe(error) == "EndpointConnectionError at host.example:44"


def test_a_bug_of_ours_is_logged_by_its_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    failure(RuntimeError(SECRET), "kinesis:GetRecords")

    assert [record.getMessage() for record in caplog.records] == ["aws.call_broken"]
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("error", "public"),
    [
        (client_error("AccessDeniedException"), AccessDenied),
        (client_error("KMSAccessDeniedException"), AccessDenied),
        (client_error("ExpiredTokenException"), NoCredentials),
        (client_error("UnrecognizedClientException"), NoCredentials),
        (boto.NoCredentialsError(), NoCredentials),
        (client_error("ThrottlingException"), Throttled),
        (client_error("ValidationException"), SetupError),
        (client_error("ResourceNotFoundException"), SetupError),
        (boto.ProfileNotFound(profile="x"), ConfigError),
        (boto.EndpointConnectionError(endpoint_url="https://k"), Unavailable),
        (client_error("InternalFailure", 500), Unavailable),
        (RuntimeError(), Unavailable),
    ],
)
def test_set_up_raises_our_own_errors(error: Exception, public: type[KclError]) -> None:
    raised = public_error(error, "kinesis:ListShards")

    assert type(raised) is public
    assert "kinesis:ListShards" in str(raised)
    assert str(pickle.loads(pickle.dumps(raised))) == str(raised)


def test_a_denial_names_the_action_and_the_resource() -> None:
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
    said = f"User: arn:aws:iam::1:user/x is not authorized to perform: y on resource: {arn} because"

    raised = public_error(client_error("AccessDeniedException", message=said), "kinesis:ListShards")

    assert isinstance(raised, AccessDenied)
    assert (raised.action, raised.resource) == ("kinesis:ListShards", arn)
