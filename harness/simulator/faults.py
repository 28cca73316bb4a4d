"""What goes wrong: the errors of the service, and which request gets one."""

from __future__ import annotations

from random import Random

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error of the service as it goes on the wire. `code` is the name in `x-amzn-ErrorType`."""

    status: int
    code: str
    message: str


class Refused(Exception):
    """A request that the service answers with an error before any content."""

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
"""In mid-stream, where codes are in lower camel case."""
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


def validation(message: str) -> Refused:
    """A ValidationException (400) to raise."""
    return Refused(Fault(status=400, code="ValidationException", message=message))


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nothing is answered: it begins so long after the first request, and lasts so long, ns."""

    after_ns: int
    lasts_ns: int

    def hold(self, due_ns: int, first_request_ns: int) -> int:
        """When something that is due then goes out."""
        begins_ns = first_request_ns + self.after_ns
        ends_ns = begins_ns + self.lasts_ns
        return ends_ns if begins_ns <= due_ns < ends_ns else due_ns


class FaultRates(msgspec.Struct, frozen=True, kw_only=True):
    """Share of requests, 0 to 1, that get each fault. The sum of the first two is at most 1."""

    throttle: float = 0.0
    unavailable: float = 0.0
    interrupt: float = 0.0
    """Of the streams that begin, the share that ends in an error half way."""

    def draw(self, rng: Random) -> Fault | None:
        """The fault of one request, None for most."""
        left = rng.random()
        for rate, fault in ((self.throttle, THROTTLED), (self.unavailable, UNAVAILABLE)):
            if left < rate:
                return fault
            left -= rate
        return None

    def draw_interruption(self, rng: Random) -> bool:
        """Whether a stream breaks off."""
        return self.interrupt > 0 and rng.random() < self.interrupt
