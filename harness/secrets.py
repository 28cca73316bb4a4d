"""Redacts the secrets that this process knows from whatever it records or prints, in every spelling.

A server, a proxy or an SDK may quote what it received, without a header name that a pattern could match. So the text is
searched for the values themselves: those in the environment, and those that clients resolved (`remember`).
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, TextIO
from urllib.parse import unquote

REDACTED = "[redacted]"
MAX_RESOLVED = 300
"""How many values resolved at run time are remembered, the latest ones: a day of refreshed sessions for ten clients."""

SESSION_TOKEN = r"(?<![A-Za-z0-9/+])(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9/+=]{50,}"
"""A pattern for session tokens of AWS, all of which begin with one of these words."""
JSON_WEB_TOKEN = r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
"""A pattern for the JSON Web Tokens of identity providers, whose first two parts are JSON in base64."""

_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_AWS_API_KEY",
    "HARNESS_SIMULATOR_SECRET",
    "HARNESS_WEBHOOK_URL",
)
_BEARER = "AWS_BEARER_TOKEN_"
_TOKEN_FILES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_OTLP = re.compile(r"OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?(HEADERS|ENDPOINT)")
_MAX_FILE = 64 * 1024


class Secrets:
    """Known values, and their redaction from a text."""

    def __init__(self) -> None:
        self._environment: list[_Value] = []
        self._resolved: dict[str, _Value] = {}
        self._all: list[_Value] = []

    def remember_environment(self, environ: Mapping[str, str] | None = None) -> None:
        """Remember the secrets in the environment, in place of those from the previous call."""
        values = dict.fromkeys(_environment_secrets(os.environ if environ is None else environ))
        self._environment = [_Value(each) for each in values]
        self._sort()

    def remember(self, *values: str | None) -> None:
        """Remember these values, too; skip those too short or too plain to stand out from other text."""
        new = [value for value in values if value and value not in self._resolved and is_distinctive(value)]
        if not new:
            return
        self._resolved |= {value: _Value(value) for value in new}
        for oldest in list(self._resolved)[:-MAX_RESOLVED]:
            del self._resolved[oldest]
        self._sort()

    def redact(self, text: str) -> str:
        """The text with every known value replaced. Takes microseconds if it holds none."""
        for value in self._all:
            if value.core in text:
                text = value.spellings.sub(REDACTED, text)
        return text

    def _sort(self) -> None:
        """Longest first: one value may be part of another."""
        self._all = sorted((*self._environment, *self._resolved.values()), key=lambda each: -len(each.text))


class _Value:
    """A secret value. `core` occurs in every spelling of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.core = max(re.findall(r"[A-Za-z0-9]+", text), key=len, default="")

    @cached_property
    def spellings(self) -> re.Pattern[str]:
        """A pattern for the value, however its characters are encoded; letters and digits have one spelling only."""
        parts = re.findall(r"[A-Za-z0-9]+|\\+|.", self.text, re.DOTALL)
        return re.compile("".join(map(_any_spelling, parts)))


_NAMED_ENTITIES = {'"': "quot", "&": "amp", "'": "apos", "<": "lt", ">": "gt"}
_ESCAPED = r"\\{1,8}"
"""The backslash before an escape, doubled each time the text was quoted again."""
_PERCENT = "%(?:25){0,4}"
"""A percent sign, itself percent-encoded up to four times: `%`, `%25`, `%2525`."""
_AMPERSAND = "&(?:amp;){0,4}"
"""An ampersand, itself an entity up to four times: `&`, `&amp;`, `&amp;amp;`."""


def _any_spelling(part: str) -> str:
    r"""A pattern for every spelling of a word, of one other character, or of a run of backslashes.

    `/` is also `\/`, `\u002f`, `\x2f`, `%2F`, `%252f`, `&#47;`, `&#x2f;`. Every repetition is bounded, so
    that no text makes a match slow.
    """
    character, times = part[0], len(part)
    if character.isascii() and character.isalnum():
        return part
    encoded = "|".join(_encoded_spellings(character))
    if character == "\\":
        return rf"(?:(?:{encoded}){{{times}}}|\\{{{times},{8 * times}}})"
    return rf"(?:{encoded}|\\{{0,8}}+{re.escape(character)})"


def _encoded_spellings(character: str) -> Iterator[str]:
    """Patterns for a character as `repr`, JSON, URLs, HTML and forms encode it, and as UTF-8 read as Latin-1."""
    code, utf8 = ord(character), character.encode(errors="surrogateescape")
    yield "".join(rf"{_ESCAPED}x{_hex(byte, 2)}" for byte in utf8)
    yield rf"{_ESCAPED}u{_hex(code, 4)}"
    yield "".join(f"{_PERCENT}{_hex(byte, 2)}" for byte in utf8)
    yield f"{_AMPERSAND}#0{{0,6}}{code};"
    yield f"{_AMPERSAND}#[xX]0{{0,6}}{_hex(code)};"
    if character in _NAMED_ENTITIES:
        yield f"{_AMPERSAND}{_NAMED_ENTITIES[character]};"
    if character == " ":
        yield r"\+"
    if not character.isascii():
        yield re.escape(utf8.decode("latin-1"))


def _hex(number: int, width: int = 1) -> str:
    """A pattern for a number in hexadecimal, its digits in either case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{number:0{width}x}")


def is_distinctive(value: str) -> bool:
    """Whether a value stands out from other text: 12 characters, or 8 of two kinds (letters, digits, others).

    A password such as `a` or `changeit` would turn half of a message into `[redacted]`.
    """
    kinds = {"letter" if c.isalpha() else "digit" if c.isdigit() else "other" for c in value}
    return len(value) >= 12 or (len(value) >= 8 and len(kinds) >= 2)


def _environment_secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name in _VARIABLES or name.startswith(_BEARER):
            yield from filter(is_distinctive, [value.strip()])
        elif name == _HEADERS:
            yield from _header_secrets(value)
        elif otlp := _OTLP.fullmatch(name):
            yield from _collector_secrets(value) if otlp[1] == "ENDPOINT" else _otlp_header_secrets(value)
        elif name in _TOKEN_FILES:
            yield from filter(is_distinctive, [_read_token(value)])
        elif name.lower().endswith("_proxy") and name.lower() != "no_proxy":
            yield from _proxy_secrets(value)


def _header_secrets(headers: str) -> Iterator[str]:
    """The values of `Name: value` lines; of `Bearer TOKEN`, the token. `anthropic-…` headers hold no secrets."""
    for line in headers.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if not words or name.strip().lower().startswith("anthropic-"):
            continue
        yield from filter(is_distinctive, [words[1] if len(words) == 2 else value.strip()])


def _otlp_header_secrets(headers: str) -> Iterator[str]:
    """The values of `name=value,name=value`, which are percent-encoded."""
    pairs = (pair.partition("=") for pair in headers.split(","))
    yield from _header_secrets("\n".join(f"{name}: {unquote(value)}" for name, _, value in pairs))


def _collector_secrets(url: str) -> Iterator[str]:
    """The user name, password and the query's values in a collector's URL, which a failure to connect quotes."""
    yield from _proxy_secrets(url)
    pairs = (pair.partition("=") for pair in url.partition("?")[2].split("&"))
    yield from filter(is_distinctive, (unquote(value) for _, _, value in pairs))


def _read_token(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_FILE).strip()
    except (OSError, ValueError):
        return ""


def _proxy_secrets(url: str) -> Iterator[str]:
    """The secrets in a proxy URL: the password, the user name if it is the key, and both as HTTP sends them.

    A password too short to stand alone is redacted only as `user:password@` and as `Basic …`.
    """
    rest = url.partition("//")[2] or url
    for authority in dict.fromkeys((re.split(r"[/?#]", rest)[0], rest)):  # a password may hold a raw slash
        user, _, password = authority.rpartition("@")[0].partition(":")
        if not user and not password:
            continue
        name, word = unquote(user), unquote(password)
        basic = b64encode(f"{name}:{word}".encode(errors="surrogateescape")).decode()
        yield basic if is_distinctive(basic) else f"Basic {basic}"
        for username, secret in ((user, password), (name, word)):
            yield secret if is_distinctive(secret) else f"{username}:{secret}@"
        yield from (each for each in (user, name) if is_distinctive(each) and (not password or len(each) >= 16))


class RedactedStream:
    """A text stream that redacts whatever is printed: messages, tracebacks, warnings of the SDKs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_KNOWN = Secrets()
remember = _KNOWN.remember
remember_environment = _KNOWN.remember_environment
redact = _KNOWN.redact
