"""What does an exception of boto3 mean? A value for the core, or an error for who starts a worker.

Total: every exception has a meaning. Messages carry what the service said only for codes whose
texts are known to hold neither data nor credentials.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.exceptions as boto
from botocore.parsers import ResponseParserError

from kcl_py.core.events import Failure, FailureKind
from kcl_py.errors import (
    AccessDenied,
    ConfigError,
    KclError,
    NoCredentials,
    SetupError,
    Throttled,
    Unavailable,
)

_log = logging.getLogger(__name__)

MESSAGE_LENGTH_MAX: Final = 300

_THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "KMSThrottlingException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        # Another transaction holds the item: refused now, welcome later.
        "TransactionConflictException",
    }
)
_ACCESS: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_KMS: Final = frozenset(
    {
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
        "KMSOptInRequired",
    }
)
_CREDENTIALS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_UNKNOWN: Final = frozenset(
    {
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "ReplicatedWriteConflictException",
        "RequestTimeout",
        "RequestTimeoutException",
        # The stream or table is just being changed.
        "ResourceInUseException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_GONE: Final = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
_EXPIRED: Final = frozenset({"ExpiredIteratorException", "ExpiredNextTokenException"})
_INVALID: Final = frozenset(
    {
        "InvalidAction",
        "InvalidArgumentException",
        "InvalidParameterException",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "UnknownOperationException",
        "ValidationError",
        "ValidationException",
    }
)

KINDS: Final[Mapping[str, FailureKind]] = MappingProxyType(
    dict.fromkeys(_THROTTLED, FailureKind.THROTTLED)
    | dict.fromkeys(_ACCESS | _KMS | _CREDENTIALS, FailureKind.DENIED)
    | dict.fromkeys(_UNKNOWN, FailureKind.UNKNOWN)
    | dict.fromkeys(_GONE, FailureKind.GONE)
    | dict.fromkeys(_EXPIRED, FailureKind.EXPIRED)
    | dict.fromkeys(_INVALID, FailureKind.INVALID)
)
"""What each error code means. Source: the service models of botocore, and AWS's common errors."""

_QUIET: Final = _CREDENTIALS
"""Codes whose messages may quote a signature or a token."""

_CREDENTIAL_ERRORS: Final = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.MetadataRetrievalError,
    boto.UnknownCredentialError,
    boto.SSOError,
)
_CALLER_ERRORS: Final = (
    boto.ParamValidationError,
    boto.ValidationError,
    boto.NoRegionError,
    boto.EndpointProviderError,
    boto.UnknownServiceError,
    boto.InvalidConfigError,
    boto.ProfileNotFound,
    boto.ConfigNotFound,
    boto.ConfigParseError,
)
_NETWORK_ERRORS: Final = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.ChecksumError,
    ResponseParserError,
    OSError,
)
_RESOURCE: Final = re.compile(r"on resource: (arn:[^\s\"']{1,300})")


class UnparsableAnswerError(Exception):
    """The service answered, but not in a way that can be read; the message holds no part of it."""


def kind_of(error: BaseException) -> FailureKind:
    """Return what an exception means; never raises."""
    if isinstance(error, boto.ClientError):
        code, status = error_code(error), _status(error)
        if code in KINDS:
            return KINDS[code]
        return _kind_of_unknown_code(code, status)
    if isinstance(error, _CREDENTIAL_ERRORS):
        return FailureKind.DENIED
    if isinstance(error, _CALLER_ERRORS):
        return FailureKind.INVALID
    return FailureKind.UNKNOWN


def _kind_of_unknown_code(code: str, status: int) -> FailureKind:
    match status:
        case 429:
            return FailureKind.THROTTLED
        case 401 | 403:
            return FailureKind.DENIED
        case 400 if not code.isdigit():
            return FailureKind.INVALID
        case _:
            # 5xx, 408, redirects, and whatever a proxy makes up: it says nothing of the request.
            return FailureKind.UNKNOWN


def failure(error: BaseException, action: str) -> Failure:
    """Describe an exception as an answer for the core; never raises.

    Args:
        error: Whatever a call raised.
        action: `dynamodb:UpdateItem` and the like.
    """
    known = (boto.ClientError, boto.BotoCoreError, UnparsableAnswerError)
    if not isinstance(error, known + _NETWORK_ERRORS):
        facts = {"action": action, "error_type": type(error).__name__}
        _log.error("aws.call_broken", extra=facts)
    return Failure(kind=kind_of(error), action=action, message=describe(error))


def describe(error: BaseException) -> str:
    """Say what happened, without data and credentials; never raises."""
    if isinstance(error, boto.ClientError):
        code = error_code(error)
        said = "" if code in _QUIET or code not in KINDS else _first_line(_error_of(error))
        return f"{code}: {said}" if said else code or f"HTTP status {_status(error)}"
    if isinstance(error, UnparsableAnswerError):
        return str(error)
    name = type(error).__name__
    place = _place(error)
    return f"{name} at {place}" if place else name


def error_code(error: BaseException) -> str:
    """Return the service's error code; empty if there is none."""
    if not isinstance(error, boto.ClientError):
        return ""
    code = str(_error_of(error).get("Code", ""))
    # What is no code might be anything that a proxy said.
    return code if re.fullmatch(r"[A-Za-z0-9_.]{1,80}", code) else ""


def whole_message(error: BaseException) -> str:
    """Return what the service said, to decide by. Not to be shown: it may quote a record."""
    return str(_error_of(error).get("Message") or "") if isinstance(error, boto.ClientError) else ""


def public_error(error: BaseException, action: str) -> KclError:
    """Return what to raise for an exception while a worker starts; never raises.

    What GONE means depends on what was asked for: callers that expect it look at `kind_of` first.
    """
    said = describe(error)
    match kind_of(error):
        case FailureKind.DENIED if lacks_credentials(error):
            return NoCredentials(
                f"{action} could not be signed with valid credentials ({said}); "
                "set a profile or a role, or renew what has expired"
            )
        case FailureKind.DENIED:
            return AccessDenied(action=action, resource=_resource(error))
        case FailureKind.THROTTLED:
            return Throttled(
                f"{action} was throttled ({said}); try again later, or raise the limit"
            )
        case FailureKind.INVALID if isinstance(error, _CALLER_ERRORS):
            return ConfigError(f"{action} could not be called ({said}); check the configuration")
        case FailureKind.INVALID | FailureKind.GONE | FailureKind.EXPIRED:
            return SetupError(f"{action} was refused ({said})")
        case _:
            return Unavailable(
                f"{action} got no usable answer ({said}); check network, endpoint and region"
            )


def lacks_credentials(error: BaseException) -> bool:
    """Say whether a call was not signed, or not with valid credentials."""
    return isinstance(error, _CREDENTIAL_ERRORS) or error_code(error) in _CREDENTIALS


def _error_of(error: boto.ClientError) -> Mapping[str, Any]:
    found = error.response.get("Error")
    return found if isinstance(found, Mapping) else {}


def _status(error: boto.ClientError) -> int:
    metadata = error.response.get("ResponseMetadata")
    status = metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None
    return status if isinstance(status, int) else 0


def _first_line(said: Mapping[str, Any]) -> str:
    lines = str(said.get("Message") or "").splitlines()
    return lines[0][:MESSAGE_LENGTH_MAX].strip() if lines else ""


def _place(error: BaseException) -> str:
    """Return host and port that a network error speaks of; a URL might hold a password."""
    keywords = getattr(error, "kwargs", None)
    url = keywords.get("endpoint_url") if isinstance(keywords, Mapping) else None
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    except ValueError:
        return ""


def _resource(error: BaseException) -> str | None:
    if not isinstance(error, boto.ClientError):
        return None
    found = _RESOURCE.search(_first_line(_error_of(error)))
    return found[1] if found else None
