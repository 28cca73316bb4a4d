"""The fault plan: which requests get which fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.catalog.models import find_model
from harness.errors import CatalogError, EndpointError
from harness.simulator.faults import ServiceError
from harness.simulator.injection.bodies import BODIES
from harness.simulator.injection.connections import CONNECTIONS
from harness.simulator.injection.heads import HEADS
from harness.simulator.injection.refusals import REFUSALS
from harness.simulator.injection.response import Response, Script
from harness.simulator.injection.streams import FRAMES, STREAMS
from harness.simulator.model.answers import prompt_digest
from harness.simulator.performance import Operation

SCRIPTED = {**CONNECTIONS, **HEADS, **BODIES, **STREAMS, **FRAMES}
"""Faults that are not errors of the service."""
NAMES = (*REFUSALS, *SCRIPTED)
"""Every fault."""
FRAMED_APIS = ("invoke", "converse")
EXAMPLE = '[{"fault": "throttled", "share": 0.02}, {"fault": "reset_during", "model": "claude-haiku-4-5"}]'

Number = Annotated[int, Meta(ge=1)]


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that get a fault: all that match, or of those a share, or some by number. None matches everything."""

    fault: str
    model: str | None = None
    """A model (every routing of it), or one model or profile id."""
    api: Literal["invoke", "converse", "messages", "openai"] | None = None
    """`messages` includes `mantle`."""
    prompt: str | None = None
    """Text in the last user message."""
    share: Annotated[float, Meta(ge=0, le=1)] | None = None
    requests: list[Number] | None = None
    """By number, from 1, among the requests that match."""

    def matches(self, operation: Operation, prompt: str) -> bool:
        """Whether the rule is about such a request, and the fault can happen to it."""
        return (
            can_happen(self.fault, operation)
            and (self.model is None or self.model == operation.model_id or operation.model_id.endswith(self.model))
            and (self.api is None or self.api == operation.api)
            and (self.prompt is None or self.prompt in prompt)
        )


def can_happen(fault: str, operation: Operation) -> bool:
    """Whether the answer of an operation can have a fault: some exist in streams only, or in binary frames only.

    In chat completions null is a regular way to say that there is no text.
    """
    if fault == "null_text":
        return operation.api != "openai"
    if fault in FRAMES:
        return operation.stream and operation.api in FRAMED_APIS
    return operation.stream or fault not in STREAMS


class FaultPlan:
    """Rules, of which the first that applies to a request gives it its fault.

    Shares are drawn from (seed, rule, operation, prompt, how often it was asked), so the order in which different
    requests arrive does not matter.
    """

    def __init__(self, rules: Sequence[FaultRule], seed: int) -> None:
        self._rules = rules
        self._seed = seed
        self._matched: Counter[int] = Counter()
        self._asked: Counter[tuple[int, Operation, str]] = Counter()

    def find(self, operation: Operation, prompt: str) -> str | None:
        """The fault of the next such request, if it gets one."""
        for index, rule in enumerate(self._rules):
            if rule.matches(operation, prompt) and self._applies(index, rule, operation, prompt):
                return rule.fault
        return None

    def _applies(self, index: int, rule: FaultRule, operation: Operation, prompt: str) -> bool:
        self._matched[index] += 1
        if rule.requests is not None:
            return self._matched[index] in rule.requests
        if rule.share is None:
            return True
        digest = prompt_digest(prompt)
        self._asked[index, operation, digest] += 1
        occasion = self._asked[index, operation, digest]
        place = f"{operation.model_id}/{operation.api}/{operation.stream}/{digest}/{occasion}"
        return Random(f"{self._seed}/{index}/{place}/rule").random() < rule.share


def refuse(fault: str | None) -> None:
    """Raise ServiceError if the fault is an error of the service."""
    if fault in REFUSALS:
        raise ServiceError(REFUSALS[fault])


def play(fault: str, response: Response) -> Script:
    """What a fault makes of a response. The fault is not an error of the service."""
    return SCRIPTED[fault](response)


def read_rules(written: str) -> tuple[FaultRule, ...]:
    """The rules of `--faults`: a JSON list, or the path of a file with one. EndpointError: anything else."""
    inline = written.lstrip().startswith(("[", "{"))
    place = "--faults" if inline else written
    try:
        rules = msgspec.json.decode(written if inline else Path(written).read_bytes(), type=list[FaultRule])
    except OSError as error:
        raise EndpointError(f"{place}: the faults cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EndpointError(f"{place}: not a list of faults ({error}); write {EXAMPLE}") from error
    return tuple(_checked(rule, f"{place}: rule {number}") for number, rule in enumerate(rules, 1))


def _checked(rule: FaultRule, place: str) -> FaultRule:
    """The rule with the base id of its model. EndpointError: an unknown fault or model."""
    if rule.fault not in NAMES:
        raise EndpointError(f"{place}: there is no fault {rule.fault!r}; use one of: {', '.join(NAMES)}")
    if rule.share is not None and rule.requests is not None:
        raise EndpointError(f"{place}: has both `share` and `requests`; keep one")
    if rule.model is None or "anthropic." in rule.model:
        return rule
    try:
        return msgspec.structs.replace(rule, model=find_model(rule.model).base_id)
    except CatalogError as error:
        raise EndpointError(f"{place}: {error}") from error
