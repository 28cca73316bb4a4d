"""Types of the suite file's values: texts, names, counts, and quantities with a unit, which become numbers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from harness.catalog.target import END

Name = Annotated[str, Meta(pattern=rf"^[^\x00-\x1f\x7f]+{END}", min_length=1, max_length=200)]
"""Must not be in a union with a list of structs: msgspec 0.22 frees such a type wrongly, and Python crashes at exit.
`Text` may be."""
SUITE_NAME = rf"^[A-Za-z0-9][A-Za-z0-9._-]*{END}"
SuiteName = Annotated[str, Meta(pattern=SUITE_NAME, max_length=64, examples=["support-triage"])]
REGION = rf"^[a-z]{{2,4}}(-[a-z]+)+-[0-9]{{1,2}}{END}"
Region = Annotated[str, Meta(pattern=REGION, examples=["us-east-1", "eu-central-1"])]
Digest = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
Whole = Annotated[int, Meta(ge=0)]
MOST_SLOTS = 100_000
"""More than a machine has ports."""
MOST_REQUESTS = 10_000_000
"""In a whole plan, which is counted before anything is sent."""
Slots = Annotated[int, Meta(ge=1, le=MOST_SLOTS)]
Requests = Annotated[int, Meta(ge=1, le=MOST_REQUESTS)]
Positive = Annotated[float, Meta(gt=0)]

CheckEntry = Annotated[
    dict[str, Any],
    Meta(extra_json_schema={"properties": {"type": {"type": "string", "minLength": 1}}, "required": ["type"]}),
]

NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,99})?"
ABOVE_ZERO = "^(?=.*[1-9])"
DURATION = rf"{ABOVE_ZERO}({NUMBER})(ms|s|m|h){END}"
RATE = rf"{ABOVE_ZERO}({NUMBER})/(s|min){END}"
POINTS = rf"{ABOVE_ZERO}({NUMBER})(pp){END}"
PERCENT = rf"{ABOVE_ZERO}({NUMBER})(%){END}"
LATENCY_MARGIN = rf"{ABOVE_ZERO}({NUMBER})(%|ms|s){END}"
COST_MARGIN = rf"{ABOVE_ZERO}(?:{NUMBER}%|\${NUMBER}){END}"
LONGEST_S = 366 * 86_400.0
"""A year: the longest duration in a suite."""
MOST_PER_S = 10_000.0
LEAST_PER_S = 1 / 86_400
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "min": Decimal(60), "h": Decimal(3600)}

DurationText = Annotated[str, Meta(title="duration", pattern=DURATION, examples=["500ms", "60s", "10m"])]
Points = Annotated[str, Meta(title="points", pattern=POINTS, examples=["3pp"])]
LatencyMargin = Annotated[str, Meta(title="latency margin", pattern=LATENCY_MARGIN, examples=["15%", "200ms"])]
CostMargin = Annotated[str, Meta(title="cost margin", pattern=COST_MARGIN, examples=["10%", "$0.002"])]


class UnitError(ValueError):
    """An invalid quantity. The message says how to write it."""


class Margin(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse than the baseline is acceptable. `%` is relative, the others are in the metric's unit."""

    value: float
    """`pp` and `%` as a fraction (0.03 for `3pp`, 0.15 for `15%`), else seconds or dollars."""
    unit: Literal["pp", "%", "s", "usd"]


def parse_duration(value: object) -> float:
    """`500ms`, `60s`, `10m`, `2h` → seconds, more than 0 and at most a year. Raises UnitError."""
    number, unit = _split(value, DURATION, unit="s", example="a duration; for example 500ms, 60s, 10m or 2h")
    return _checked_duration(float(number * _SECONDS[unit]), value)


def parse_rate(value: object) -> float:
    """`5/s`, `300/min` → per second, from one a day to 10,000 a second. Raises UnitError."""
    number, unit = _split(value, RATE, unit="/s", example="a rate; for example 5/s or 300/min")
    return _checked_rate(float(number / _SECONDS[unit]), value)


def parse_points(value: object) -> Margin:
    """`3pp`, percentage points → Margin(0.03, pp). Raises UnitError."""
    number, _ = _split(value, POINTS, unit="pp", example="a margin in percentage points; for example 3pp")
    return Margin(value=float(number / 100), unit="pp")


def parse_latency_margin(value: object) -> Margin:
    """`15%` → Margin(0.15, %); `200ms`, `0.5s` → seconds. Raises UnitError."""
    example = "a latency margin; for example 15% or 200ms"
    number, unit = _split(value, LATENCY_MARGIN, unit="% or {0}ms", example=example)
    if unit == "%":
        return Margin(value=float(number / 100), unit="%")
    return Margin(value=float(number * _SECONDS[unit]), unit="s")


def parse_cost_margin(value: object) -> Margin:
    """`10%` → Margin(0.1, %); `$0.002` → dollars. Raises UnitError."""
    text = str(value).lower()
    if text.startswith("$") and re.fullmatch(COST_MARGIN, text):
        return Margin(value=float(Decimal(text[1:])), unit="usd")
    example = "a cost margin; for example 10% or $0.002"
    number, _ = _split(value, PERCENT, unit="% or ${0}", example=example)
    return Margin(value=float(number / 100), unit="%")


def parse_margin(value: str) -> Margin:
    """A margin in any unit. Raises UnitError."""
    if value.endswith("pp"):
        return parse_points(value)
    return parse_cost_margin(value) if value.startswith("$") else parse_latency_margin(value)


def format_duration(seconds: float) -> str:
    """Seconds → text that `parse_duration` turns into exactly the same number."""
    return f"{_plain(seconds)}s"


def format_rate(per_s: float) -> str:
    """Per second → text that `parse_rate` turns into exactly the same number."""
    return f"{_plain(per_s)}/s"


def _checked_duration(seconds: float, value: object) -> float:
    if not 0 < seconds <= LONGEST_S:
        raise UnitError(f"must be at most {LONGEST_S / 3600:,.0f}h (a year), got {value}")
    return seconds


def _checked_rate(per_s: float, value: object) -> float:
    if per_s > MOST_PER_S:
        raise UnitError(f"{value} is more than a client can send; use at most {MOST_PER_S:,.0f}/s")
    if not per_s >= LEAST_PER_S:
        raise UnitError(f"{value} is less than one request a day; use at least 0.001/min")
    return per_s


def _split(value: object, pattern: str, *, unit: str, example: str) -> tuple[Decimal, str]:
    text = value if isinstance(value, str) else str(value).lower()
    match = re.fullmatch(pattern, text)
    if match:
        return Decimal(match[1]), match[2]
    if re.fullmatch(NUMBER, text):
        raise UnitError(f"'{text}' has no unit; write {text}{unit.format(text)}")
    if re.fullmatch(pattern.removeprefix(ABOVE_ZERO), text) or re.fullmatch(rf"\$[0.]+{END}", text):
        raise UnitError(f"must be more than 0, got {text}")
    raise UnitError(f"{text if len(text) <= 60 else text[:59] + '…'!r} is not {example}")


def _plain(number: float) -> str:
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


if TYPE_CHECKING:
    Duration = float
    Rate = float
else:

    class _Number(type):
        """Treats plain numbers as instances, so that msgspec encodes such a field as a number."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, int | float) and not isinstance(value, bool)

    class Duration(metaclass=_Number):
        """Seconds: `60s` in a suite file, 60.0 once decoded with `read_quantity`."""

    class Rate(metaclass=_Number):
        """Per second: `300/min` in a suite file, 5.0 once decoded with `read_quantity`."""


def read_quantity(kind: type, value: Any) -> float:
    """The `dec_hook` for types with a Duration or a Rate: takes texts with units, or the numbers of a stored suite."""
    if kind is Duration:
        return parse_duration(value) if isinstance(value, str) else float(_checked_duration(value, value))
    return parse_rate(value) if isinstance(value, str) else float(_checked_rate(value, value))


def quantity_schema(kind: type) -> dict[str, Any]:
    """The `schema_hook` for the same types: what a suite file may contain."""
    if kind is Duration:
        return {"type": "string", "title": "duration", "pattern": DURATION, "examples": ["500ms", "60s", "10m"]}
    return {"type": "string", "title": "rate", "pattern": RATE, "examples": ["5/s", "300/min"]}


def file_key(name: str) -> str:
    """Field name → key of the suite file, where values carry the unit: `first_token_s` → `first_token`."""
    return name.removesuffix("_s").removesuffix("_per")


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=file_key):
    """Base of all parts of the suite file, in which unknown keys are mistakes."""
