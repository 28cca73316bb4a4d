"""What the suite file's keys hold: texts, names, counts and quantities, with what each of them allows."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harness.suite.grammar.units import DURATION, END, RATE

Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern=rf"^[^\x00-\x1f\x7f]+{END}", min_length=1, max_length=200)]
"""Never beside a list of structs in a union: msgspec 0.22 frees such a type wrongly, and the interpreter crashes at its
end. `Text` may be."""
SUITE_NAME = rf"^[A-Za-z0-9][A-Za-z0-9._-]*{END}"
SuiteName = Annotated[str, Meta(pattern=SUITE_NAME, max_length=64, examples=["support-triage"])]
Region = Annotated[
    str, Meta(pattern=rf"^[a-z]{{2,4}}(-[a-z]+)+-[0-9]{{1,2}}{END}", examples=["us-east-1", "eu-central-1"])
]
Duration = Annotated[str, Meta(title="duration", pattern=DURATION, examples=["500ms", "60s", "10m"])]
Rate = Annotated[str, Meta(title="rate", pattern=RATE, examples=["5/s", "300/min"])]
Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
MOST_SLOTS = 100_000
"""More connections than one machine has ports for."""
MOST_REQUESTS = 10_000_000
"""Of a whole plan, which is counted before it is sent."""
Slots = Annotated[int, Meta(ge=1, le=MOST_SLOTS)]
Requests = Annotated[int, Meta(ge=1, le=MOST_REQUESTS)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Texts = Annotated[list[Text], Meta(min_length=1)]
CheckEntry = Annotated[
    dict[str, Any],
    Meta(extra_json_schema={"properties": {"type": {"type": "string", "minLength": 1}}, "required": ["type"]}),
]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of the file share: unknown keys are mistakes."""
