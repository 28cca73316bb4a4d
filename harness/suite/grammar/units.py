"""Quantities with a unit as a suite writes them: durations, rates, margins."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import msgspec

NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,99})?"
ABOVE_ZERO = "^(?=.*[1-9])"
END = r"$(?!\n)"
"""The end of the text, in Python too, where `$` alone also matches before a last line break."""
DURATION = rf"{ABOVE_ZERO}({NUMBER})(ms|s|m|h){END}"
RATE = rf"{ABOVE_ZERO}({NUMBER})/(s|min){END}"
POINTS = rf"{ABOVE_ZERO}({NUMBER})(pp){END}"
PERCENT = rf"{ABOVE_ZERO}({NUMBER})(%){END}"
LATENCY_MARGIN = rf"{ABOVE_ZERO}({NUMBER})(%|ms|s){END}"
COST_MARGIN = rf"{ABOVE_ZERO}(?:{NUMBER}%|\${NUMBER}){END}"
"""Every text that one of these matches can be read by the parser of its kind."""

_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "min": Decimal(60), "h": Decimal(3600)}


LONGEST_S = 366 * 86_400.0
"""A year. Nothing that a suite describes takes longer."""


class UnitError(ValueError):
    """A quantity that cannot be read; the message says how to write it."""


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse is still good enough. `%` is relative; the others are differences in the metric's own unit."""

    value: float
    """Of `pp` and `%` as a fraction: 0.03 for `3pp`, 0.15 for `15%`; else seconds or dollars."""
    unit: Literal["pp", "%", "s", "usd"]


def parse_duration(written: object) -> float:
    """`500ms`, `60s`, `10m`, `2h` → seconds, more than 0. Raises UnitError."""
    number, unit = _split(written, DURATION, unit="s", example="a duration; write for example 500ms, 60s, 10m or 2h")
    return float(number * _SECONDS[unit])


def parse_rate(written: object) -> float:
    """`5/s`, `300/min` → per second, more than 0. Raises UnitError."""
    number, unit = _split(written, RATE, unit="/s", example="a rate; write for example 5/s or 300/min")
    return float(number / _SECONDS[unit])


def parse_points(written: object) -> Margin:
    """`3pp`, percentage points → Margin(0.03, pp). Raises UnitError."""
    number, _ = _split(written, POINTS, unit="pp", example="a margin in percentage points; write for example 3pp")
    return Margin(value=float(number / 100), unit="pp")


def parse_latency_margin(written: object) -> Margin:
    """`15%` → Margin(0.15, %); `200ms`, `0.5s` → seconds. Raises UnitError."""
    example = "a margin of a latency; write for example 15% or 200ms"
    number, unit = _split(written, LATENCY_MARGIN, unit="% or {0}ms", example=example)
    if unit == "%":
        return Margin(value=float(number / 100), unit="%")
    return Margin(value=float(number * _SECONDS[unit]), unit="s")


def parse_cost_margin(written: object) -> Margin:
    """`10%` → Margin(0.1, %); `$0.002` → dollars. Raises UnitError."""
    text = str(written).lower()
    if text.startswith("$") and re.fullmatch(COST_MARGIN, text):
        return Margin(value=float(Decimal(text[1:])), unit="usd")
    example = "a margin of a cost; write for example 10% or $0.002"
    number, _ = _split(written, PERCENT, unit="% or ${0}", example=example)
    return Margin(value=float(number / 100), unit="%")


def parse_margin(written: str) -> Margin:
    """A margin in any unit. Raises UnitError."""
    if written.endswith("pp"):
        return parse_points(written)
    return parse_cost_margin(written) if written.startswith("$") else parse_latency_margin(written)


def format_duration(seconds: float) -> str:
    """Seconds → what `parse_duration` reads as exactly the same number."""
    return f"{_plain(seconds)}s"


def format_rate(per_s: float) -> str:
    """Per second → what `parse_rate` reads as exactly the same number."""
    return f"{_plain(per_s)}/s"


def _split(written: object, pattern: str, *, unit: str, example: str) -> tuple[Decimal, str]:
    text = written if isinstance(written, str) else str(written).lower()
    found = re.fullmatch(pattern, text)
    if found:
        return Decimal(found[1]), found[2]
    if re.fullmatch(NUMBER, text):
        raise UnitError(f"'{text}' has no unit; write {text}{unit.format(text)}")
    if re.fullmatch(pattern.removeprefix(ABOVE_ZERO), text) or re.fullmatch(rf"\$[0.]+{END}", text):
        raise UnitError(f"must be more than 0, got {text}")
    raise UnitError(f"{_shortened(text)} is not {example}")


def _plain(number: float) -> str:
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
