"""Reads numbers in a model's prose as exact decimals.

The last number of the answer counts, since models reason first and conclude last. Supported:

- signs, among them `−` and `–`; but not a dash after a digit or letter, or before a space: `2024-05-17` ends in 17
- currency signs and codes before or after the number, the percent sign (12 % is 12), Markdown and LaTeX around it
- grouping by comma, point, apostrophe, underscore, no-break or thin space: `1,234.5`, `1.234,5`, `12,34,567`, `1’234`
- a comma that cannot group is a decimal comma: `118,40`, `0,125`; a single point is a decimal point: `1.234`
- exponents: `1.5e-3`, `3 × 10^8`, `3 × 10⁸`, `3 \\times 10^{8}`
- an answer that begins with its only number may use plain spaces for grouping: `1 234 567 km`
- fractions of whole numbers: `3/4`, `1 3/4`, `¾`, `1¾`, `\\frac{3}{4}`; but not `84 / 4`, and `17/05/2024` ends in 2024

Not supported: words (`twelve`, `3 million`).
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

TAIL = 10_000
"""Characters at the end of the answer that are searched."""

MINUS = r"\-−–‐‑﹣－"
"""For a character class."""
CURRENCY = "$€£¥₹₩₽₺₴₫฿¢"
GROUP = "'’_\u00a0\u2007\u2009\u202f"
PLAIN = str.maketrans("\u066b\u066c／０１２３４５６７８９", ".’/0123456789")
"""The Arabic decimal and thousands separators, and full-width digits and slash."""
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")

_NUMBER = re.compile(
    rf"""
    (?: (?<! [^\W_] ) | (?<= \b[A-Z]{{3}} ) )       # not inside a word; right after USD118.40's code
    (?: (?<! [\w)\]%.] ) (?P<sign> [{MINUS}+] ) )?
    (?: [{CURRENCY}] \ ? )?
    (?: (?<! [\w)\]%.] ) (?P<inner> [{MINUS}+] ) )?
    (?:
        (?<! [\d/⁄.,] ) (?: (?P<whole> \d{{1,9}} ) \  )? (?P<top> \d{{1,15}} ) [/⁄]
        (?P<bottom> (?=0*[1-9]) \d{{1,15}} ) (?! [.,/⁄]? \d )
      | (?P<comma>  [1-9]\d{{0,2}} (?: ,\d{{2,3}} ){{0,8}} ,\d{{3}} (?: \.\d+ )? )
      | (?P<point>  \d{{1,3}} (?: (?: \.\d{{3}} ){{1,9}} ,\d+ | (?: \.\d{{3}} ){{2,9}} ) )
      | (?P<mark>   \d{{1,3}} (?: (?P<by>[{GROUP}]) \d{{3}} ) (?: (?P=by) \d{{3}} ){{0,8}} (?: [.,]\d+ )? )
      | (?P<plain>  (?: 0 | \d{{4,}} ),\d+
                  | \d+ (?: \.\d+ | ,(?: \d{{1,2}} | \d{{4,}} ) (?!\d) )?
                  | (?<! [\d.,] ) \.\d+ )
    )
    (?! \d | ,\d{{3}} (?!\d) )
    (?: [eE] (?P<e> [{MINUS}+]? \d{{1,3}} ) (?! \w )
      | \s{{0,2}} (?: [x×·*] | \\times | \\cdot ) \s{{0,2}} 10
        (?: \^ [{{(]? (?P<power> [{MINUS}+]? \d{{1,3}} ) [)}}]? | (?P<raised> ⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}} ) )
      | (?! [eE] [{MINUS}+]? \d )                    # too large an exponent
    )
    """,
    re.VERBOSE,
)

_SPACED = re.compile(r"(?P<lead>\D*)(?P<digits>\d{1,3}(?: \d{3})+)(?P<rest>(?:[.,]\d+)?\D*)")
_FRACTION = re.compile(
    r"(?P<before>\d?)(?:(?P<sign>[¼½¾⅐-⅞])|\\[dt]?frac\{(?P<top>\d{1,15})\}\{(?P<bottom>\d{1,15})\})", re.ASCII
)


def last_number(text: str) -> Decimal | None:
    """The last number of an answer, None if there is none. Never raises, whatever the text."""
    found = list(_NUMBER.finditer(_plain(text)))
    return _read(found[-1]) if found else None


def read_number(text: str) -> Decimal:
    """A number written by a suite's author. Raises ValueError if the text contains none."""
    number = last_number(text)
    if number is None:
        raise ValueError(f"no number in {text!r}")
    return number


def find_ambiguity(text: str) -> str | None:
    """Why a number written by a suite's author is ambiguous. None if it is clear."""
    plain = _plain(text)
    first, *more = _NUMBER.finditer(plain)
    if more or any(character.isdigit() for character in plain[: first.start()] + plain[first.end() :]):
        return f"`expect` is {text!r}, which is more than one number; write a single one"
    grouped = first["comma"]
    if grouped and grouped.count(",") == 1 and "." not in grouped:
        sign = _plain_minus(first["sign"] or first["inner"] or "")
        meant = f"{sign}{grouped.replace(',', '')} or {sign}{grouped.replace(',', '.')}"
        return f"`expect` is {text!r}, which may be {meant}; write one of these"
    return None


def _plain(text: str) -> str:
    """The end of a text, with Unicode and LaTeX notations replaced by plain ones."""
    tail = text[-TAIL:].strip().translate(PLAIN).replace("{,}", ",").replace("\\,", "")
    tail = _FRACTION.sub(_slashed, tail)
    spaced = _SPACED.fullmatch(tail)
    if spaced and not any(letter.isalpha() for letter in spaced["lead"]):
        tail = spaced["lead"] + spaced["digits"].replace(" ", "") + spaced["rest"]
    return tail


def _slashed(found: re.Match[str]) -> str:
    """`1¾` → `1 3⁄4`."""
    fraction = unicodedata.normalize("NFKC", found["sign"]) if found["sign"] else f"{found['top']}/{found['bottom']}"
    return f"{found['before']} {fraction}" if found["before"] else fraction


def _read(found: re.Match[str]) -> Decimal:
    sign = _plain_minus(found["sign"] or found["inner"] or "")
    exponent = _plain_minus((found["e"] or found["power"] or found["raised"] or "0").translate(SUPERSCRIPTS))
    if found["bottom"]:
        number = int(found["whole"] or 0) + Decimal(found["top"]) / Decimal(found["bottom"])
        return -number if sign == "-" else number
    return Decimal(f"{sign}{_digits(found)}e{exponent}")


def _digits(found: re.Match[str]) -> str:
    """Digits with at most one decimal point."""
    if found["comma"]:
        return found["comma"].replace(",", "")
    if found["point"]:
        return found["point"].replace(".", "").replace(",", ".")
    if found["mark"]:
        return found["mark"].replace(found["by"], "").replace(",", ".")
    return found["plain"].replace(",", ".")


def _plain_minus(text: str) -> str:
    return re.sub(f"[{MINUS}]", "-", text)
