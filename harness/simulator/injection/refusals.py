"""Faults that are errors of the service, in each api's own words."""

from __future__ import annotations

from msgspec.structs import replace

from harness.simulator.faults import NO_ACCESS, THROTTLED, UNAVAILABLE, Fault

REFUSALS: dict[str, Fault] = {
    "throttled": THROTTLED,
    "throttled_seconds": replace(THROTTLED, retry_after="2"),
    "throttled_date": replace(THROTTLED, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
    "throttled_absurd": replace(THROTTLED, retry_after="9" * 30),
    "server_error": Fault(
        status=500, code="InternalServerException", message="The system encountered an unexpected error."
    ),
    "unavailable": UNAVAILABLE,
    "model_error": Fault(status=424, code="ModelErrorException", message="The model failed to process the request."),
    "model_timeout": Fault(status=408, code="ModelTimeoutException", message="The model took too long to answer."),
    "denied": NO_ACCESS,
    "invalid": Fault(status=400, code="ValidationException", message="max_tokens: must be at least 1"),
    "expired_token": Fault(
        status=403, code="ExpiredTokenException", message="The security token included in the request is expired"
    ),
}
"""Name of a fault → the error. Codes are those of bedrock-runtime."""
