"""Turns errors of AWS's services into messages with a remedy and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import xform_name
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    InvalidConfigError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from harness.endpoints.failures import CODES, clean
from harness.errors import EndpointError

_PREFIXES = {"bedrock-runtime": "bedrock", "service-quotas": "servicequotas"}
_ACTIONS = {"GetBucketLifecycleConfiguration": "GetLifecycleConfiguration"}
"""IAM's names that differ from those of the service or operation."""

_URL_USER = re.compile(r"//[^/@\s]+@")
_KEY_REFUSED = re.compile(r"(?i)bearer token|api key")
"""A refused bearer key is an `AccessDeniedException` like any other; only the message differs."""
_MAX_MESSAGE = 300
_SIGN_IN = "sign in again (`aws sso login`) or fetch new ones"
_CHAIN = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"


class AccountError(EndpointError):
    """A call to the account that failed. `code`: AWS's error code, if any."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class BadCredentials(AccountError):
    """Missing, expired or refused credentials."""


class NotPermitted(AccountError):
    """Valid credentials without permission. `action`: the required IAM action."""

    def __init__(self, action: str, message: str, *, code: str | None = None) -> None:
        super().__init__(f"not permitted: {action} ({message})", code=code)
        self.action = action


@contextmanager
def reading_errors(service: str, operation: str, region: str) -> Iterator[None]:
    """Turn exceptions of the SDK into AccountErrors, without the SDK's traceback.

    `operation`: the SDK's method, such as `list_foundation_models`.
    """
    try:
        yield
    except ClientError as error:
        raise _read_client_error(error, service, operation) from None
    except BotoCoreError as error:
        raise _read_sdk_error(error, service, region) from None
    except (ResponseParserError, UnicodeDecodeError):  # UnicodeDecodeError: expected CBOR
        raise AccountError(f"{service} in {region} is not available: its answer is not from an AWS service") from None


def _read_client_error(error: ClientError, service: str, operation: str) -> AccountError:
    """The AccountError for an error response from AWS."""
    answer = error.response.get("Error", {})
    code, message_of_aws = answer.get("Code", ""), answer.get("Message") or ""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = _describe(code, message_of_aws, status)
    kind = CODES.get(code.lower())
    if kind == "credentials" and code.lower().startswith("expired"):
        return BadCredentials(f"the AWS credentials have expired ({message}); {_SIGN_IN}", code=code)
    if xform_name(error.operation_name) != operation:
        return BadCredentials(f"the AWS credentials cannot be obtained: {error.operation_name}: {message}", code=code)
    if kind == "credentials" or status == 401 or _KEY_REFUSED.search(message_of_aws):
        return BadCredentials(f"AWS refuses the credentials ({message}); {_CHAIN}", code=code)
    action = f"{_PREFIXES.get(service, service)}:{_ACTIONS.get(error.operation_name, error.operation_name)}"
    if kind == "access_denied" or status == 403:
        return NotPermitted(action, message, code=code)
    return AccountError(f"{action} failed ({message})", code=code)


def _read_sdk_error(error: BotoCoreError, service: str, region: str) -> AccountError:
    """The AccountError for an exception of the SDK: missing credentials, or an address that does not answer.

    Leaves out the output of credential processes and the content of invalid files, which may contain secrets.
    """
    match error:
        case NoCredentialsError():
            return BadCredentials(f"no AWS credentials were found; {_CHAIN}")
        case ProfileNotFound():
            return BadCredentials(
                f"there is no AWS profile {error.kwargs.get('profile')!r}; `aws configure list-profiles` lists yours"
            )
        case CredentialRetrievalError():
            return BadCredentials(f"{error.kwargs.get('provider')} gave no AWS credentials; run it by hand to see why")
        case SSOError() | TokenRetrievalError() | NoAuthTokenError():
            return BadCredentials(f"no valid AWS sign-in ({_plain(error)}); {_SIGN_IN}")
        case PartialCredentialsError() | ConfigParseError() | InvalidConfigError():
            return BadCredentials(f"the AWS credentials cannot be used: {_plain(error)}")
        case _:
            return AccountError(f"{service} in {region} is not available: {_plain(error)}")


def _describe(code: str, message: str, status: int | None) -> str:
    """`Code: message`, or only the status if the answer is an HTML or XML page, which no AWS service sends."""
    if message.lstrip().startswith("<"):
        return f"HTTP {status} without a message"
    if status is not None and 300 <= status < 400 and code == str(status):
        return f"HTTP {status}, a redirect, which is not followed"
    return clean(f"{code}: {message or 'no message'}", _MAX_MESSAGE)


def _plain(error: BotoCoreError) -> str:
    return clean(_URL_USER.sub("//", str(error)))
