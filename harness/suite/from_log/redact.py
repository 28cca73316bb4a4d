"""Redacts personal data, account numbers and payment details from texts, and counts the replacements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import regex

from harness.errors import SuiteError
from harness.secrets import REDACTED, redact
from harness.suite.grammar.patterns import PatternError, compile_pattern

LIMIT_S = 2.0
"""The longest that a user's pattern may take on one text."""
OWN = "pattern"
"""The kind of replacements by a user's patterns."""
KNOWN = "secret"
"""The kind of replacements of this process's own secrets."""


class Redactor:
    """Replaces every match with its kind in brackets, `[email]`.

    The process's own secrets are replaced first, by `[redacted]`, then the matches of the user's patterns.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """SuiteError: a pattern is not a regular expression."""
        self._own = [_compile(pattern) for pattern in patterns]
        self.counts: Counter[str] = Counter()
        """Kind → replacements."""

    def redact(self, text: str) -> str:
        """The redacted text. SuiteError: a user's pattern takes too long."""
        original, text = text, redact(text)
        if text != original:
            self.counts[KNOWN] += text.count(REDACTED) - original.count(REDACTED)
        for own in self._own:
            try:
                text, times = own.subn(f"[{OWN}]", text, timeout=LIMIT_S)
            except TimeoutError:
                raise SuiteError(
                    [f"--redact {own.pattern!r}: takes more than {LIMIT_S:g} s on one prompt; make it backtrack less"]
                ) from None
            self.counts[OWN] += times
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
    """Finds the spans of a pattern's matches for which `holds`; of its group `value`, where it has one."""
    compiled = re.compile(pattern)

    def find(text: str) -> Iterator[tuple[int, int]]:
        matches = (match for match in compiled.finditer(text) if holds(match[0]))
        return (match.span("value" if match.lastgroup == "value" else 0) for match in matches)

    return find


def _is_secret_key(text: str) -> bool:
    """Forty characters of base64: a hexadecimal digest is not a key."""
    return all(any(map(kind, text)) for kind in (str.isupper, str.islower, str.isdigit))


def passes_luhn(text: str) -> bool:
    """ISO/IEC 7812-1: the sum of the digits, every second one from the right doubled, is a multiple of ten."""
    digits = [int(character) for character in reversed(text) if character.isdigit()]
    return 13 <= len(digits) <= 19 and (sum(digits[::2]) + sum(sum(divmod(2 * d, 10)) for d in digits[1::2])) % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: country and check digits moved to the end, letters as 10 … 35, the number modulo 97 is 1."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """The longest part of each candidate, cut at its spaces, that is an IBAN: capitals may follow it."""
    for match in _IBAN.finditer(text):
        words = match[0].split(" ")
        parts = (" ".join(words[:count]) for count in range(len(words), 0, -1))
        if iban := next(filter(is_iban, parts), None):
            yield match.start(), match.start() + len(iban)


def _is_phone(text: str) -> bool:
    """Seven to fifteen digits (ITU-T E.164) that are not a date."""
    return 7 <= sum(map(str.isdigit, text)) <= 15 and not re.match(r"\(?\d{4}-\d{2}-\d{2}", text)


KINDS: dict[str, Find] = {
    "aws-key": _matches(
        r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b|\b(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/=_-]{20,}",
    ),
    "aws-token": _matches(
        r"(?i:\baws_session_token\b)[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?P<value>[^\s\"';,]+)"
        r"|(?<![A-Za-z0-9/+])(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9/+=]{50,}"
    ),
    "anthropic-key": _matches(r"\bsk-ant-[\w-]{16,}"),
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
"""Kind → its finder, in the order of replacement. Finds too much rather than too little."""
