"""Classifies failures: tables that map error codes, HTTP statuses and exceptions to error kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from harness.endpoints.base import ErrorKind
from harness.secrets import JSON_WEB_TOKEN, REDACTED, SESSION_TOKEN, redact

CODES: dict[str, ErrorKind] = {
    "throttlingexception": "throttled",
    "toomanyrequestsexception": "throttled",
    "modelnotreadyexception": "unavailable",
    "serviceunavailableexception": "unavailable",
    "internalserverexception": "server_error",
    "modeltimeoutexception": "model_timeout",
    "modelerrorexception": "model_error",
    "servicequotaexceededexception": "quota_exceeded",
    "validationexception": "validation",
    "accessdeniedexception": "access_denied",
    "resourcenotfoundexception": "not_found",
    "expiredtokenexception": "credentials",
    "expiredtoken": "credentials",
    "unrecognizedclientexception": "credentials",
    "invalidclienttokenid": "credentials",
    "invalidsignatureexception": "credentials",
    "signaturedoesnotmatch": "credentials",
    "incompletesignatureexception": "credentials",
    "missingauthenticationtokenexception": "credentials",
    "overloaded_error": "unavailable",
    "rate_limit_error": "throttled",
    "api_error": "server_error",
    "timeout_error": "model_timeout",
    "invalid_request_error": "validation",
    "authentication_error": "credentials",
    "permission_error": "access_denied",
    "not_found_error": "not_found",
    "request_too_large": "validation",
    "server_error": "server_error",
    "rate_limit_exceeded": "throttled",
    "billing_error": "access_denied",
}
"""Error code → kind. Codes are in lower case, as HTTP errors and exception frames differ in case.

ModelStreamErrorException is left out on purpose: as an HTTP error, its status gives `model_error`; in a stream, it is a
`stream_error`.
"""

GENERAL = frozenset({"api_error", "server_error"})
"""Codes that say less than most statuses do."""

STATUSES: dict[int, ErrorKind] = {
    400: "validation",
    401: "credentials",
    403: "access_denied",
    404: "not_found",
    408: "model_timeout",
    413: "validation",
    422: "validation",
    424: "model_error",
    429: "throttled",
    500: "server_error",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
    529: "unavailable",
}
"""HTTP status → kind, if the code is missing or not in `CODES`."""

EXCEPTIONS: dict[str, ErrorKind] = {
    "botocore.ConnectTimeoutError": "connect_timeout",
    "httpx2.ConnectTimeout": "connect_timeout",
    "harness.ConnectTimeout": "connect_timeout",
    "botocore.NoCredentialsError": "credentials",
    "botocore.PartialCredentialsError": "credentials",
    "botocore.CredentialRetrievalError": "credentials",
    "botocore.TokenRetrievalError": "credentials",
    "botocore.SSOError": "credentials",
    "botocore.NoAuthTokenError": "credentials",
    "botocore.MetadataRetrievalError": "credentials",
    "botocore.InvalidConfigError": "credentials",
    "botocore.RefreshWithMFAUnsupportedError": "credentials",
    "botocore.ParamValidationError": "validation",
    "aiohttp.HttpProcessingError": "protocol",
    "h11.RemoteProtocolError": "protocol",
    "harness.ProtocolError": "protocol",
    "harness.AnswerTooLong": "protocol",
    "botocore.HTTPClientError": "connection",
    "aiohttp.ClientError": "connection",
    "httpx2.TransportError": "connection",
    "anthropic.APIConnectionError": "connection",
    "builtins.ConnectionError": "connection",
    "botocore.ClientError": "credentials",
    "botocore.ResponseParserError": "credentials",
}
"""Exception, by package and class → kind. The first match wins, over the whole chain of causes and base classes.

Names are used so that no SDK is imported to classify an error. In an exchange without an answer of its own, the last
two come from refreshing credentials: STS, SSO or something in their place answered with an error.
"""

MESSAGES: dict[str, ErrorKind] = {
    "RuntimeError: Could not resolve AWS credentials": "credentials",
    "RuntimeError: Credentials were refreshed, but": "credentials",
}
"""Start of the text → kind, for exceptions of the Anthropic SDK and botocore without their own class."""

TRANSPORT: frozenset[ErrorKind] = frozenset({"connect_timeout", "connection", "protocol"})
"""Network failures. Once the headers have arrived, they mean that the body was cut off."""

MAX_MESSAGE = 500
MAX_CODE = 100
MAX_ADDRESS = 200
MAX_BODY = 64 * 1024
"""Bytes of a body used as a message: far more than is stored, as redaction shortens it."""

_SECRETS = re.compile(
    r"(?im)\b(?:authorization|x-amz-security-token|x-api-key)\b[\"']?\s*[:=].*$"
    r"|\bbearer\s+\S+|\b(?:credential|signature)=\S+|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\b(?:ABSK|bedrock-api-key-)\S+"
    r"|\baws_(?:secret_access_key|session_token)\b[\"']?\s*[:=].*$|\bsk-ant-\S+|(?<=//)[^/@\s:]*:[^/@\s]*(?=@)"
    rf"|{SESSION_TOKEN}|{JSON_WEB_TOKEN}"
    r"|X-Amz-(?:Credential|Security-Token|Signature)(?:=|%(?:25){0,4}3D)\S*"
    r"|\bthe (?:canonical string|string-to-sign) (?:for this request )?should have been(?s:.*)"
    r"|(?<=<)(?:AWSAccessKeyId|(?:CanonicalRequest|StringToSign)(?:Bytes)?|SignatureProvided)>[^<]*"
)
"""Text that looks like a secret, even if it is not a registered one.

If a signature does not match, AWS quotes the canonical request and the string to sign, in S3's case as XML. Presigned
addresses hold the key id, the token and the signature.
"""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an exchange failed."""

    kind: ErrorKind
    code: str | None = None
    message: str


class _Error(msgspec.Struct, frozen=True):
    type: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct, frozen=True):
    """Error bodies: AWS's flat one in two spellings, and that of the Messages API."""

    error: _Error = _Error()
    message: str | None = None
    Message: str | None = None
    type: str | None = msgspec.field(default=None, name="__type")


def from_response(status: int, error_type: str | None, body: bytes) -> Failure:
    """The failure of an HTTP error response. `error_type`: the header `x-amzn-errortype`, `Code:http://…`."""
    answer = _read_error_body(body)
    named = error_type or answer.type or answer.error.type or ""
    code = clean(named.partition(":")[0].rpartition("#")[2], MAX_CODE) or None
    by_code, by_status = CODES.get((code or "").lower()), STATUSES.get(status)
    kind = (by_status if code in GENERAL else None) or by_code or by_status or _kind_of_class(status)
    text = answer.message or answer.Message or answer.error.message or body[:MAX_BODY].decode(errors="replace")
    return Failure(kind=kind, code=code, message=clean(text) or f"HTTP {status} without a message")


def from_redirect(status: int, location: str) -> Failure:
    """The failure of a redirect, which is not followed, as requests contain credentials and prompts."""
    to = clean(location.partition("?")[0], MAX_ADDRESS)
    message = f"HTTP {status}: the server redirects to {to}; redirects are not followed, so use the final address"
    return Failure(kind="protocol", message=message)


def from_encoding(encoding: str) -> Failure:
    """The failure of a body compressed against the request. It is not decompressed, as it may expand to any size."""
    message = f"the answer is compressed (content-encoding: {clean(encoding, MAX_CODE)}), which the request rules out"
    return Failure(kind="protocol", message=message)


def _kind_of_class(status: int) -> ErrorKind:
    if 400 <= status < 500:
        return "validation"
    return "server_error" if 500 <= status < 600 else "protocol"


def from_frame(headers: Mapping[str, str], payload: bytes) -> Failure | None:
    """The failure that an event stream frame reports. None: the frame is an event."""
    match headers.get(":message-type"):
        case "event":
            return None
        case "exception":
            return from_code(headers.get(":exception-type", ""), _read_error_body(payload).message or "")
        case "error":
            return from_code(headers.get(":error-code", ""), headers.get(":error-message", ""))
        case other:
            return Failure(kind="protocol", message=clean(f"a frame of message type {other!r}"))


def from_code(code: str, message: str) -> Failure:
    """The failure of an error inside a stream, by code. `stream_error`: the code is unknown."""
    return Failure(
        kind=CODES.get(code.lower(), "stream_error"), code=clean(code, MAX_CODE) or None, message=clean(message)
    )


def from_exception(error: BaseException) -> Failure:
    """The failure of a client's exception, by `EXCEPTIONS`, then `MESSAGES`, over its chain of causes."""
    chain = list(_chain(error))
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for each in chain for base in type(each).__mro__}
    described = [f"{type(each).__name__}: {each}".rstrip(": ") for each in chain]
    kinds = [kind for name, kind in EXCEPTIONS.items() if name in names]
    kinds += [kind for start, kind in MESSAGES.items() if any(each.startswith(start) for each in described)]
    code, message = clean(type(error).__name__, MAX_CODE), clean(" < ".join(described[:2]))
    return Failure(kind=kinds[0] if kinds else "internal", code=code, message=message)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, its cause, and so on; at most ten, in case of a loop."""
    at: BaseException | None = error
    for _ in range(10):
        if at is None:
            return
        yield at
        at = at.__cause__ or at.__context__


def _read_error_body(body: bytes) -> _ErrorBody:
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _ErrorBody()


def clean(text: str, limit: int = MAX_MESSAGE) -> str:
    """Untrusted text, made safe to record: without credentials, valid UTF-8, at most `limit` characters.

    The text is cut last, as half a secret would not be found.
    """
    plain = text.encode(errors="replace").decode()
    return _SECRETS.sub(REDACTED, redact(plain))[:limit].strip()
