"""What does a service answer when it refuses a request? One exception for both services."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer: what a client sees as `ClientError`.

    Attributes:
        code: The error's name, such as `ResourceNotFoundException`.
        message: For people; its wording is ours, not the service's.
        status: The HTTP status.
        extra: Further members of the error body, such as `Item` or `CancellationReasons`.
    """

    def __init__(self, code: str, message: str = "", status: int = 400, **extra: object) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def invalid(message: str) -> AwsError:
    """The request breaks a rule of the service's grammar."""
    return AwsError("ValidationException", message)


def unknown_operation(operation: str) -> AwsError:
    """The engine does not know this operation; it is never answered with a false success."""
    return AwsError("UnknownOperationException", f"this engine does not know {operation}")
