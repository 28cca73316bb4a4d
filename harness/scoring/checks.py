"""Turns a suite's checks into scorers, and finds every mistake in them before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec.inspect import Field, StructType, type_info

from harness.errors import HarnessError, SuiteError
from harness.scoring import load_scorer, scorer_names
from harness.scoring.scorer import AnyScorer, SuiteAwareScorer
from harness.suite.grammar.mistakes import Mistake, dotted
from harness.suite.grammar.patterns import PatternError
from harness.suite.grammar.structure import unknown_key, unknown_word
from harness.suite.private_texts import storable_suite, stores_no_text
from harness.suite.suite import Check, Prompt, Suite

EXPECT = "expect"
"""Where a scorer requires this parameter, it defaults to the prompt's own `expect`."""


def make_scorer(check: Check, prompt: Prompt) -> AnyScorer:
    """The scorer for one check of a prompt. Raises SuiteError with all the mistakes in the check."""
    scorer = _make(check, prompt)
    if isinstance(scorer, list):
        raise SuiteError([f"prompt {prompt.id!r}: {dotted(each.path) or 'check'}: {each.message}" for each in scorer])
    return scorer


def check_mistakes(suite: Suite) -> Iterator[Mistake]:
    """A validator for `load_suite`: unknown check types, wrong parameters, checks with nothing to expect."""
    for at, prompt in enumerate(suite.prompts):
        for number, check in enumerate(prompt.checks):
            scorer = _make(check, prompt)
            for each in scorer if isinstance(scorer, list) else _context_mistakes(scorer, suite, prompt):
                yield Mistake(("prompts", at, "checks", number, *each.path), each.message)


def redaction_mistakes(suite: Suite) -> Iterator[Mistake]:
    """A validator for `load_suite`: checks that cannot grade once `load.redact` has replaced a part of them."""
    if not suite.load.redact or stores_no_text(suite.load):
        return
    try:
        kept = storable_suite(suite).prompts
    except PatternError:  # one of the loader's own mistakes
        return
    for at, (prompt, stored) in enumerate(zip(suite.prompts, kept, strict=True)):
        for number, (check, redacted) in enumerate(zip(prompt.checks, stored.checks, strict=True)):
            if isinstance(_make(check, prompt), list) or not isinstance(lost := _make(redacted, stored), list):
                continue
            what = "; ".join(each.message for each in lost)
            remedy = "narrow the patterns, or leave out the check"
            yield Mistake(("prompts", at, "checks", number), f"does not work with load.redact: {what}; {remedy}")


def check_schemas() -> dict[str, dict[str, Any]]:
    """Check type → JSON Schema of its parameters, for `harness schema`."""
    schemas = {}
    for name in scorer_names():
        (reference,), components = msgspec.json.schema_components([load_scorer(name)])
        schema = dict(components[reference["$ref"].rpartition("/")[2]])
        schema["required"] = [key for key in schema.get("required", ()) if key != EXPECT]
        schemas[name] = schema
    return schemas


def _make(check: Check, prompt: Prompt) -> AnyScorer | list[Mistake]:
    """The scorer, or the mistakes in the check, with paths relative to it."""
    names = scorer_names()
    if check.type not in names:
        return [Mistake(("type",), unknown_word(check.type, names))]
    try:
        kind = load_scorer(check.type)
    except HarnessError as error:
        return [Mistake(("type",), str(error))]
    params, mistakes = _fill(kind, check, prompt)
    if mistakes:
        return mistakes
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        return [_describe(str(error))]


def _context_mistakes(scorer: AnyScorer, suite: Suite, prompt: Prompt) -> list[Mistake]:
    """Why a well-formed check does not work with this prompt or suite."""
    if not isinstance(scorer, SuiteAwareScorer):
        return []
    return [Mistake((), message) for message in scorer.find_mistakes(suite, prompt)]


def _fill(kind: type[AnyScorer], check: Check, prompt: Prompt) -> tuple[dict[str, Any], list[Mistake]]:
    """The check's parameters, with the prompt's `expect` filled in, and a mistake for each unknown or missing key."""
    fields = _fields_of(kind)
    if fields is None:
        return check.params, []
    params = dict(check.params)
    if EXPECT in fields and fields[EXPECT].required and prompt.expect is not None:
        params.setdefault(EXPECT, prompt.expect)
    unknown = [Mistake((key,), unknown_key(key, list(fields))) for key in params if key not in fields]
    missing = [name for name, field in fields.items() if field.required and name not in params]
    hints = {EXPECT: "; give it here or as the prompt's `expect`"}
    return params, unknown + [
        Mistake((), f"check {check.type!r} needs {name!r}{hints.get(name, '')}") for name in missing
    ]


@cache
def _fields_of(kind: type[AnyScorer]) -> dict[str, Field] | None:
    """The parameters of a scorer by key; None if it is not a Struct. Cached: many prompts have the same few checks."""
    info = type_info(kind)
    return {field.encode_name: field for field in info.fields} if isinstance(info, StructType) else None


def _describe(message: str) -> Mistake:
    """Turns msgspec's ``Expected `str`, got `int` - at `$.expect` `` into a mistake with its path."""
    mistake, _, place = message.partition(" - at ")
    steps = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", place)
    path = tuple(int(index) if index else name for name, index in steps)
    mistake = mistake.replace("`str`", "text").replace("`", "")
    if re.fullmatch("Expected text, got (int|float|bool)", mistake):
        mistake += "; put it in quotes"
    return Mistake(path, mistake[:1].lower() + mistake[1:])
