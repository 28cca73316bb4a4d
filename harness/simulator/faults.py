"""The service's errors, and the random faults that a request may get."""

from __future__ import annotations

from random import Random

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the service. `code` is the name in `x-amzn-ErrorType`."""

    status: int
    code: str
    message: str
    retry_after: str | None = None
    """The header `Retry-After`, in which the service says when to try again."""


class ServiceError(Exception):
    """The service answers a request with an error, before any content."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


THROTTLED = Fault(status=429, code="ThrottlingException", message="Too many tokens, please wait before trying again.")
UNAVAILABLE = Fault(
    status=503,
    code="ServiceUnavailableException",
    message="Bedrock is unable to process your request.",
)
INTERRUPTED = Fault(status=503, code="serviceUnavailableException", message="The stream was interrupted.")
"""In mid-stream, codes are in lower camel case."""
UNAUTHENTICATED = Fault(status=403, code="AccessDeniedException", message="Missing Authentication Token")
UNKNOWN_OPERATION = Fault(
    status=404, code="UnknownOperationException", message="The requested operation is not recognized by the service."
)
MODEL_ID_INVALID = Fault(status=400, code="ValidationException", message="The provided model identifier is invalid.")
MODEL_NOT_FOUND = Fault(
    status=404,
    code="ResourceNotFoundException",
    message="Could not resolve the foundation model from the provided model identifier.",
)


NO_ACCESS = Fault(
    status=403, code="AccessDeniedException", message="You don't have access to the model with the specified model ID."
)
BAD_SIGNATURE = Fault(
    status=403,
    code="InvalidSignatureException",
    message="The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details.",
)
EXPIRED_SIGNATURE = Fault(
    status=403, code="InvalidSignatureException", message="Signature expired or not yet current; check your clock."
)
UNKNOWN_KEY = Fault(
    status=403, code="UnrecognizedClientException", message="The security token included in the request is invalid."
)
BAD_CREDENTIALS = frozenset({"InvalidSignatureException", "UnrecognizedClientException", "ExpiredTokenException"})
"""Codes that say that the request's credentials, and not its sender's permissions, are rejected."""


def validation(message: str) -> ServiceError:
    """Make a ValidationException (400) to raise."""
    return ServiceError(Fault(status=400, code="ValidationException", message=message))


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A period without any response: its start after the first request and its length, ns."""

    after_ns: int
    lasts_ns: int

    def delay(self, due_ns: int, first_request_ns: int) -> int:
        """When a piece that is due at `due_ns` is sent: at the end of the stall if it falls into it."""
        begins_ns = first_request_ns + self.after_ns
        ends_ns = begins_ns + self.lasts_ns
        return ends_ns if begins_ns <= due_ns < ends_ns else due_ns


class FaultRates(msgspec.Struct, frozen=True, kw_only=True):
    """Share of requests, 0 to 1, that get each fault. The first two add up to 1 at most."""

    throttle: float = 0.0
    unavailable: float = 0.0
    interrupt: float = 0.0
    """Share of the started streams that end in an error half way."""

    def draw(self, rng: Random) -> Fault | None:
        """The fault of one request, if it gets one."""
        left = rng.random()
        for rate, fault in ((self.throttle, THROTTLED), (self.unavailable, UNAVAILABLE)):
            if left < rate:
                return fault
            left -= rate
        return None

    def draw_interruption(self, rng: Random) -> bool:
        """Whether a stream is interrupted."""
        return self.interrupt > 0 and rng.random() < self.interrupt
