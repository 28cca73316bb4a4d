"""Finds JSON in a model's prose and validates it against a JSON Schema, in bounded time and without network access.

The JSON is the whole text, a fenced block, or the first {…} or […].
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from harness.clock import now_ns
from harness.suite.grammar.patterns import compile_pattern

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

MAX_CHARS = 200_000
"""Most characters of an answer that are searched, which bounds the work."""
MAX_BRACKETS = 20
"""Opening brackets at which parsing is tried."""


def find_json(text: str) -> Any:
    """The JSON value in a text. Raises ValueError if there is none, RecursionError if it is nested too deeply."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"the answer has more than {MAX_CHARS:,} characters")
    for candidate in (text, *_fenced(text)):
        try:
            return parse_json(candidate)
        except ValueError:
            continue
    return _first_value(text)


def parse_json(text: str) -> Any:
    """Strict JSON: no NaN, no Infinity."""
    return _DECODER.decode(text.strip())


def _fenced(text: str) -> Iterator[str]:
    """The contents of fenced code blocks, without the info string."""
    for block in text.split("```")[1::2]:
        _, _, body = block.partition("\n")
        yield body


def _first_value(text: str) -> Any:
    for number, bracket in enumerate(re.finditer(r"[{\[]", text)):
        if number == MAX_BRACKETS:
            break
        try:
            return _DECODER.raw_decode(text, bracket.start())[0]
        except ValueError:
            continue
    raise ValueError("the answer contains no JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


PATTERN_LIMIT_S = 1.0
"""Total for all patterns of one check of one answer."""
REFUSED = {"unevaluatedProperties": "additionalProperties", "unevaluatedItems": "items"}
"""Keywords whose validators take unbounded time (plain `re`, quadratic comparison) → what to use instead."""
SCHEMAS_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
"""Keywords whose value maps names, not keywords, to schemas."""
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
IN_PLACE = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
"""Keywords whose schemas apply to the same value, not to a part of it."""
VALUES = ("const", "enum", "default", "examples")
"""Keywords that hold values, not schemas."""

_patterns_end_ns: ContextVar[int] = ContextVar("patterns_end_ns")


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ValueError for an invalid or endless schema, a `$ref` out of the schema, or a refused keyword."""
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for

    dialect = schema.get("$schema")
    if dialect is not None and not isinstance(dialect, str):
        raise ValueError("not a JSON Schema at $.$schema: expected text")
    kind: type[Any] = validator_for(schema, default=Draft202012Validator)
    try:
        for part in _parts(schema):
            _check_patterns(part)
        kind.check_schema(schema, format_checker=None)  # patterns, the only format here, are checked above
        _check_references(schema)
    except SchemaError as error:
        where = f" at {error.json_path}" if error.path else ""
        raise ValueError(f"not a JSON Schema{where}: {error.message}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None


def _check_patterns(part: dict[str, Any]) -> None:
    for keyword in REFUSED.keys() & part.keys():
        raise ValueError(f"{keyword} is not supported: an answer could make it run for hours; use {REFUSED[keyword]}")
    named = part.get("patternProperties")
    for pattern in [part.get("pattern"), *(named if isinstance(named, dict) else ())]:
        if isinstance(pattern, str):
            compile_pattern(pattern)


def _check_references(schema: dict[str, Any]) -> None:
    """Raises ValueError unless every reference resolves inside the schema and no cycle stays at the same value."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    registry: Registry[Any] = Registry()  # empty, and it fetches nothing
    resolver = registry.resolver_with_root(DRAFT202012.create_resource(schema))
    applied: dict[int, list[int]] = {}
    for part in _parts(schema):
        inner = [part[keyword] for keyword in IN_PLACE & part.keys()]
        for reference in (part[keyword] for keyword in REFERENCES if isinstance(part.get(keyword), str)):
            try:
                inner.append(resolver.lookup(reference).contents)
            except (Unresolvable, LookupError, ValueError):
                message = f"$ref {reference!r} is not in the schema; define it under $defs"
                raise ValueError(message) from None
        applied[id(part)] = [id(each) for value in inner for each in (value if isinstance(value, list) else [value])]
    try:
        TopologicalSorter(applied).prepare()
    except CycleError:
        raise ValueError("the schema refers to itself endlessly; put properties or items in between") from None


def first_mistake(schema: dict[str, Any], value: Any) -> str | None:
    """The first validation error, None if the value is valid. Raises TimeoutError if the patterns take too long."""
    _patterns_end_ns.set(now_ns() + int(PATTERN_LIMIT_S * 1e9))
    error = next(iter(_validator(msgspec.json.encode(schema)).iter_errors(value)), None)
    return None if error is None else f"{error.json_path}: {error.message}"


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    content = msgspec.json.decode(schema)
    kind = validator_for(content, default=Draft202012Validator)
    safe: type[Validator] = extend(  # type: ignore[no-untyped-call]
        kind,
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique_items,
        },
    )
    return safe(content, registry=Registry())  # empty: a `$ref` resolves within its own schema only


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and every schema in it."""
    if isinstance(schema, list):
        for each in schema:
            yield from _parts(each)
    elif isinstance(schema, dict):
        yield schema
        for keyword, value in schema.items():
            if keyword in SCHEMAS_BY_NAME and isinstance(value, dict):
                yield from _parts(list(value.values()))
            elif keyword not in VALUES:
                yield from _parts(value)


def _mistake(message: str) -> ValidationError:
    from jsonschema import ValidationError

    return ValidationError(message)


def _pattern(validator: Validator, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield _mistake(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _matches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for key, value in instance.items():
        if key in known or any(_matches(pattern, key) for pattern in patterns):
            continue
        if allowed is False:
            yield _mistake(f"{key!r} is not allowed here")
        else:
            yield from validator.descend(value, allowed, path=key)


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Compare items as JSON texts: numbers can be chosen so that their hashes collide, strings cannot."""
    if wanted is True and isinstance(instance, list):
        texts = {json.dumps(_canonical(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield _mistake("the same item occurs twice")


def _canonical(value: Any) -> Any:
    """One form for values that are equal in JSON: 1.0 becomes 1."""
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _matches(pattern: str, text: str) -> bool:
    left_s = (_patterns_end_ns.get() - now_ns()) / 1e9
    if left_s > 0:
        with suppress(TimeoutError):
            return compile_pattern(pattern).search(text, timeout=left_s) is not None
    raise TimeoutError("the schema's patterns took too long; make them backtrack less")
