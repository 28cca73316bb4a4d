"""Turns errors of S3 into one line that says what is missing, and whether trying again later may help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from harness.endpoints.account.errors import AccountError, BadCredentials, reading_errors
from harness.endpoints.failures import clean
from harness.errors import StoreError, first_leaf
from harness.store.bucket.address import BucketAddress

_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
}
"""Operation of S3 → the IAM action that it needs. Any other operation is one that gets credentials."""
_DENIED = {"AccessDenied", "AllAccessDisabled", "403", "Forbidden"}
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_MISSING = {"NoSuchKey", "404", "InvalidRange", "416"}
_MAX_MESSAGE = 300


class BucketError(StoreError):
    """A bucket that cannot be read or written. `away`: S3 does not answer, so that the same may work later."""

    def __init__(self, message: str, *, away: bool = False) -> None:
        super().__init__(message)
        self.away = away


class DamagedRun(BucketError):
    """A run whose objects are not what its inventory says; others may be fine."""


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def has_changed(error: ClientError) -> bool:
    """Whether a conditional write was refused since somebody else wrote the object."""
    missing = error.operation_name == "PutObject" and code_of(error) in ("NoSuchKey", "404")  # deleted since
    return code_of(error) in _CHANGED or missing


def is_missing(error: ClientError) -> bool:
    """Whether there is no such object, or nothing in it."""
    return code_of(error) in _MISSING


@contextmanager
def reading_bucket_errors(address: BucketAddress, *, partition: str = "aws") -> Iterator[None]:
    """Turn what the SDK raises into a BucketError. `partition`: of the bucket's ARN."""
    try:
        yield
    except BaseExceptionGroup as group:
        error = first_leaf(group)
        if not isinstance(error, Exception):
            raise
        _raise(error, address, partition)
    except Exception as error:
        _raise(error, address, partition)


def _raise(error: Exception, address: BucketAddress, partition: str) -> None:
    """Raise the BucketError for an error of the SDK; any other error as it is."""
    match error:
        case ClientError() if error.operation_name in _ACTIONS:
            raise _read_refusal(error, address, partition) from None
        case ClientError() | BotoCoreError() | ResponseParserError():
            raise _read_other(error, address) from None
        case aiohttp.ClientError() | ConnectionError() | TimeoutError():
            what = clean(str(error) or type(error).__name__, _MAX_MESSAGE)
            raise BucketError(f"{address}: the connection to S3 broke ({what})", away=True) from None
        case _:
            raise error


def _read_refusal(error: ClientError, address: BucketAddress, partition: str) -> BucketError:
    code, answer = code_of(error), error.response
    details, status = answer.get("Error", {}), answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
    message = clean(f"{code}: {details.get('Message') or 'no message'}", _MAX_MESSAGE)
    if code == "NoSuchBucket":
        bucket = address.bucket
        return BucketError(
            f"{address}: there is no bucket {bucket!r}; check its name, or create it (`aws s3 mb s3://{bucket}`)"
        )
    if code == "InvalidAccessKeyId":
        return BucketError(f"{address}: AWS refuses the credentials ({message}); set AWS_PROFILE or fetch new ones")
    if code in _OTHER_REGION:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        region = details.get("Region") or headers.get("x-amz-bucket-region")
        how = f"set AWS_REGION={region}" if region else "set AWS_REGION to the bucket's Region"
        return BucketError(f"{address}: the bucket is in another Region; {clean(how, 60)}")
    if code in _DENIED:
        action = _ACTIONS[error.operation_name]
        arn = f"arn:{partition}:s3:::{address.bucket}"
        if action != "s3:ListBucket":
            arn += f"/{address.key('*')}"
        return BucketError(f"{address}: not permitted: {action} on {arn} ({message}); allow it, see docs/s3.md")
    if status >= 500 or code in ("SlowDown", "RequestTimeout"):
        return BucketError(f"{address}: S3 does not work at the moment ({message})", away=True)
    return _read_other(error, address)


def _read_other(error: Exception, address: BucketAddress) -> BucketError:
    """Credentials, the network, and whatever S3 says that needs no advice of its own."""
    operation = xform_name(error.operation_name) if isinstance(error, ClientError) and _is_of_s3(error) else ""
    try:
        with reading_errors("s3", operation, "this Region"):
            raise error
    except BadCredentials as known:
        return BucketError(f"{address}: {known}")
    except AccountError as known:
        return BucketError(f"{address}: {known}", away=isinstance(error, BotoCoreError | ResponseParserError))


def _is_of_s3(error: ClientError) -> bool:
    return error.operation_name in _ACTIONS
