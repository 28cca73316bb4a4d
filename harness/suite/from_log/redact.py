"""Redacts personal data, account numbers and payment details from texts, and counts the replacements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import regex

from harness.errors import SuiteError
from harness.secrets import JSON_WEB_TOKEN, REDACTED, SESSION_TOKEN, redact
from harness.suite.grammar.patterns import PatternError, compile_pattern

LIMIT_S = 2.0
"""Time limit for a user's pattern on one text."""
USER_PATTERN = "pattern"
"""The kind of matches of the user's patterns."""
OWN_SECRET = "secret"
"""The kind of this process's own secrets."""


class Redactor:
    """Replaces every match with its kind in brackets, such as `[email]`.

    This process's own secrets are replaced first, with `[redacted]`, then the matches of the user's patterns.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """`patterns`: the user's. SuiteError: one is not a regular expression."""
        self._own = [_compile(pattern) for pattern in patterns]
        self.counts: Counter[str] = Counter()
        """Kind → number of replacements."""

    def redact(self, text: str) -> str:
        """Redact a text. SuiteError: a user's pattern takes too long."""
        original, text = text, redact(text)
        if text != original:
            self.counts[OWN_SECRET] += text.count(REDACTED) - original.count(REDACTED)
        for own in self._own:
            try:
                text, times = own.subn(f"[{USER_PATTERN}]", text, timeout=LIMIT_S)
            except TimeoutError:
                raise SuiteError(
                    [f"--redact {own.pattern!r}: takes more than {LIMIT_S:g} s on one prompt; make it backtrack less"]
                ) from None
            self.counts[USER_PATTERN] += times
        for kind, find in KINDS.items():
            text = self._replace(kind, find(text), text)
        return text

    def _replace(self, kind: str, spans: Iterator[tuple[int, int]], text: str) -> str:
        pieces, end = [], 0
        for start, stop in spans:
            pieces += [text[end:start], f"[{kind}]"]
            end = stop
            self.counts[kind] += 1
        return "".join([*pieces, text[end:]])


def _compile(pattern: str) -> regex.Pattern[str]:
    try:
        return compile_pattern(pattern)
    except PatternError as error:
        raise SuiteError([f"--redact: {error}"]) from error


Find = Callable[[str], Iterator[tuple[int, int]]]


def _matches(pattern: str, holds: Callable[[str], bool] = bool) -> Find:
    """A finder for the spans of a pattern's matches, or of their named group, if `holds` is true of the match."""
    compiled = re.compile(pattern)

    def find(text: str) -> Iterator[tuple[int, int]]:
        matches = (match for match in compiled.finditer(text) if holds(match[0]))
        return (match.span(match.lastgroup or 0) for match in matches)

    return find


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


def _is_secret_key(text: str) -> bool:
    """Whether forty characters of base64 may be a key, and not a hexadecimal digest."""
    return all(any(map(kind, text)) for kind in (str.isupper, str.islower, str.isdigit))


def passes_luhn(text: str) -> bool:
    """The check of ISO/IEC 7812-1: with every second digit from the right doubled, the sum is a multiple of ten."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return 13 <= len(digits) <= 19 and (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


def is_iban(text: str) -> bool:
    """The check of ISO 13616: with the first four characters at the end and letters as 10 … 35, modulo 97 is 1."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of IBANs. Capitals may follow, so the longest valid part of a candidate, cut at spaces, counts."""
    for match in _IBAN.finditer(text):
        words = match[0].split(" ")
        parts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
        if iban := next(filter(is_iban, parts), None):
            yield match.start(), match.start() + len(iban)


def _is_phone(text: str) -> bool:
    """Whether there are seven to fifteen digits (ITU-T E.164) that are not a date."""
    return 7 <= sum(map(str.isdigit, text)) <= 15 and not re.match(r"\(?\d{4}-\d{2}-\d{2}", text)


KINDS: dict[str, Find] = {
    "aws-key": _matches(
        r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\b(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=_-]{20,}",
    ),
    "aws-token": _matches(
        r"(?i:\b(?:aws_session_token|x-amz-security-token)\b)[\"']?\s{0,9}(?:[:=]|%3D)\s{0,9}[\"']?"
        rf"(?P<value>[^\s\"'&;,]+)|{SESSION_TOKEN}"
    ),
    "anthropic-key": _matches(r"\bsk-ant-[\w-]{16,}"),
    "github-token": _matches(r"\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "private-key": _matches(
        r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)"
    ),
    "web-token": _matches(JSON_WEB_TOKEN),
    "authorization": _matches(
        r"(?i)\bauthorization\b[\"']?\s{0,9}[:=]\s{0,9}[\"']?"
        r"(?P<value>AWS4-HMAC-SHA256[^\r\n\"']*|(?:apikey|basic|bearer|digest|negotiate|token)\s{1,9}[^\s\"',;]+)"
        r"|\bx-api-key\b[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?P<key>[^\s\"',;]+)"
    ),
    "bearer-token": _matches(r"(?i)\bbearer\s{1,9}(?P<value>[\w.~+/-]{20,}=*)", _has_digit),
    "aws-secret": _matches(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])", _is_secret_key),
    "email": _matches(r"(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}"),
    "iban": _ibans,
    "card": _matches(
        r"(?<![\d.])(?:[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3[47]\d{2}([ -]?)\d{6}\2\d{5})(?!\d)", passes_luhn
    ),
    "phone": _matches(
        r"(?<![\w+.])(?:(?:\+|00)[1-9](?:[ ./-]?\(?\d\)?){6,14}"
        r"|\(?0\d{1,4}\)?[ /-]\d{2,4}(?:[ /-]?\d{2,4}){1,3}"
        r"|\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4})(?![\w])",
        _is_phone,
    ),
}
"""Kind → finder, in order of replacement. They prefer false positives to misses."""
