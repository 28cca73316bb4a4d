"""JSON Schema over hostile values: nothing is fetched, and no pattern of a schema can run without end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
import msgspec
import regex
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

PATTERN_LIMIT_S = 1.0
REGISTRY: Registry[Any] = Registry()
"""Empty, and it retrieves nothing: a `$ref` finds what is in its own schema."""


def check_schema(schema: dict[str, Any]) -> None:
    """ValueError: not a JSON Schema, or one with a `$ref` to what is not in it."""
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = f" at {error.json_path}" if error.path else ""
        raise ValueError(f"not a JSON Schema{where}: {error.message}") from None
    resolver = REGISTRY.resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"$ref {reference!r} is not in the schema; put what it names into $defs") from None


def first_mistake(schema: dict[str, Any], value: Any) -> str | None:
    """What is wrong with a value, None when it fits. TimeoutError: a pattern took too long."""
    error = next(iter(_validator(msgspec.json.encode(schema)).iter_errors(value)), None)
    return None if error is None else f"{error.json_path}: {error.message}"


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Validator:
    content = msgspec.json.decode(schema)
    kind = validator_for(content, default=Draft202012Validator)
    safe: type[Validator] = extend(  # type: ignore[no-untyped-call]
        kind,
        {
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
        },
    )
    return safe(content, registry=REGISTRY)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for each in schema.values():
            yield from _references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def _pattern(validator: Validator, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


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
            yield ValidationError(f"{key!r} is not allowed here")
        else:
            yield from validator.descend(value, allowed, path=key)


def _matches(pattern: str, text: str) -> bool:
    return regex.search(pattern, text, timeout=PATTERN_LIMIT_S) is not None
