"""The secrets that this process knows, taken out of whatever it records or prints, in every spelling of them.

A server, a proxy or an SDK may quote what it was given, without a header's name that a pattern could look for. So the
values themselves are looked for: those of the environment, and those that clients have resolved (`remember`).
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
KEPT = 300
"""Values resolved at run time that are kept, the latest: a day of refreshed sessions for ten clients."""

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
)
_BEARER = "AWS_BEARER_TOKEN_"
_TOKEN_FILES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_HEADERS = "ANTHROPIC_CUSTOM_HEADERS"
_MAX_FILE = 64 * 1024


class Secrets:
    """Values, and what takes them out of a text."""

    def __init__(self) -> None:
        self._environment: list[_Value] = []
        self._resolved: dict[str, _Value] = {}
        self._all: list[_Value] = []

    def remember_environment(self, environ: Mapping[str, str] | None = None) -> None:
        """Know what the environment holds now, instead of what it held when this was last called."""
        found = dict.fromkeys(_environment_secrets(os.environ if environ is None else environ))
        self._environment = [_Value(each) for each in found]
        self._sort()

    def remember(self, *values: str | None) -> None:
        """Know these, too; what is too short or too plain to be told from other text is passed over."""
        new = [value for value in values if value and value not in self._resolved and is_telling(value)]
        if not new:
            return
        self._resolved |= {value: _Value(value) for value in new}
        for oldest in list(self._resolved)[:-KEPT]:
            del self._resolved[oldest]
        self._sort()

    def redact(self, text: str) -> str:
        """The text without them. Microseconds where none is in it."""
        for value in self._all:
            if value.core in text:
                text = value.spellings.sub(REDACTED, text)
        return text

    def _sort(self) -> None:
        """The longest first: one may be part of another."""
        self._all = sorted((*self._environment, *self._resolved.values()), key=lambda each: -len(each.text))


class _Value:
    """A value; `core` is in every spelling of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.core = max(re.findall(r"[A-Za-z0-9]+", text), key=len, default="")

    @cached_property
    def spellings(self) -> re.Pattern[str]:
        return re.compile("".join(map(_spellings, re.findall(r"[A-Za-z0-9]+|\\+|.", self.text, re.DOTALL))))


_ENTITIES = {'"': "quot", "&": "amp", "'": "apos", "<": "lt", ">": "gt"}


def _spellings(part: str) -> str:
    r"""A pattern for a character (or a run of backslashes) as it is, and as JSON, URLs, HTML and `repr` write it.

    `/` is also `\/`, `\u002f`, `%2F`, `%252f`, `&#47;`. Every repetition is bounded: a text cannot make it take long.
    """
    if part[0].isascii() and part[0].isalnum():
        return part
    times, code, raw = len(part), ord(part[0]), part[0].encode(errors="surrogateescape")
    each = [
        *(["".join(rf"\\{{1,8}}x{_hex(byte, 2)}" for byte in raw), rf"\\{{1,8}}u{_hex(code, 4)}"]),
        "".join(rf"%(?:25){{0,4}}{_hex(byte, 2)}" for byte in raw),
        rf"&(?:amp;){{0,4}}#0{{0,6}}{code};",
        rf"&(?:amp;){{0,4}}#[xX]0{{0,6}}{_hex(code)};",
    ]
    if part[0] in _ENTITIES:
        each.append(rf"&(?:amp;){{0,4}}{_ENTITIES[part[0]]};")
    if part == " ":
        each.append(r"\+")
    if not part.isascii():
        each.append(re.escape(raw.decode("latin-1")))
    plain = rf"\\{{{times},{8 * times}}}" if part[0] == "\\" else rf"\\{{0,8}}+{re.escape(part)}"
    encoded = f"(?:{'|'.join(each)})" + (f"{{{times}}}" if times > 1 else "")
    return f"(?:{encoded}|{plain})"


def _hex(number: int, width: int = 1) -> str:
    """Digits in either case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{number:0{width}x}")


def is_telling(value: str) -> bool:
    """Whether a value is unlike other text: twelve characters, or eight of two kinds (letters, digits, others).

    A password such as `a` or `changeit` would turn half of a message into `[redacted]`.
    """
    kinds = {"letter" if c.isalpha() else "digit" if c.isdigit() else "other" for c in value}
    return len(value) >= 12 or (len(value) >= 8 and len(kinds) >= 2)


def _environment_secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name in _VARIABLES or name.startswith(_BEARER):
            yield from filter(is_telling, [value.strip()])
        elif name == _HEADERS:
            yield from _header_secrets(value)
        elif name in _TOKEN_FILES:
            yield from filter(is_telling, [_read_token(value)])
        elif name.lower().endswith("_proxy") and name.lower() != "no_proxy":
            yield from _proxy_secrets(value)


def _header_secrets(written: str) -> Iterator[str]:
    """The values of `Name: value` lines, of `Bearer TOKEN` the token. What `anthropic-…` headers say is no secret."""
    for line in written.splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if not words or name.strip().lower().startswith("anthropic-"):
            continue
        yield from filter(is_telling, [words[1] if len(words) == 2 else value.strip()])


def _read_token(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_FILE).strip()
    except (OSError, ValueError):
        return ""


def _proxy_secrets(url: str) -> Iterator[str]:
    """What a proxy's URL holds: the password, the user's name where it is the key, and the two as HTTP sends them.

    One that is too short to stand alone is known only as `user:password@` and as `Basic …`.
    """
    rest = url.partition("//")[2] or url
    for authority in dict.fromkeys((re.split(r"[/?#]", rest)[0], rest)):  # a password may hold a raw slash
        user, _, password = authority.rpartition("@")[0].partition(":")
        if not user and not password:
            continue
        name, word = unquote(user), unquote(password)
        basic = b64encode(f"{name}:{word}".encode(errors="surrogateescape")).decode()
        yield basic if is_telling(basic) else f"Basic {basic}"
        for given, secret in ((user, password), (name, word)):
            yield secret if is_telling(secret) else f"{given}:{secret}@"
        yield from (each for each in (user, name) if is_telling(each) and (not password or len(each) >= 16))


class RedactedStream:
    """A text stream without them: what is printed, tracebacks and the SDKs' own warnings among it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_KNOWN = Secrets()
"""Those of this process."""
remember = _KNOWN.remember
remember_environment = _KNOWN.remember_environment
redact = _KNOWN.redact
