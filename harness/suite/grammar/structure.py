"""The suite file's JSON Schema, and violations of it in plain words: unknown keys, wrong types, missing units."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from harness.suite import fields
from harness.suite.fields import CheckEntry, quantity_schema
from harness.suite.grammar.file import PromptEntry, SuiteFile
from harness.suite.grammar.mistakes import KeyPath, Mistake

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def suite_json_schema(check_schemas: Mapping[str, Schema] | None = None) -> Schema:
    """The suite file's JSON Schema (Draft 2020-12).

    `check_schemas`: check type → schema of its parameters. None: checks may have any parameters.
    """
    (root,), components = msgspec.json.schema_components(
        [SuiteFile], ref_template="#/$defs/{name}", schema_hook=quantity_schema
    )
    definitions = {name: _without_null(schema) for name, schema in components.items() if name != "TracedCall"}
    del definitions["Load"]["properties"]["calls"]  # filled in when the trace is read
    if check_schemas is not None:
        definitions[PromptEntry.__name__]["properties"]["checks"]["items"] = _check_schema(check_schemas)
    return {"$schema": DIALECT, "title": "harness suite", **root, "$defs": definitions}


def prompt_entry_schema() -> Schema:
    """The JSON Schema of one prompt."""
    return {**suite_json_schema(), "$ref": f"#/$defs/{PromptEntry.__name__}"}


def check_entry_schema() -> Schema:
    """The JSON Schema of one check, whatever its type."""
    return msgspec.json.schema(CheckEntry)


def _check_schema(check_schemas: Mapping[str, Schema]) -> Schema:
    """The schema of one check, whose type determines its parameters."""
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(check_schemas), "description": "How the answer is checked."}},
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": _with_type(schema)}
            for name, schema in check_schemas.items()
        ],
    }


def _with_type(schema: Schema) -> Schema:
    """The parameters' schema with the key `type` added."""
    return {**schema, "properties": {"type": {}, **schema.get("properties", {})}}


def _without_null(schema: Any) -> Any:
    """The schema without null: it marks optional keys for msgspec, but a key without a value is a mistake."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items()}
    if kept.get("default", "") is None or (kept.get("type") == "string" and isinstance(kept.get("default"), float)):
        del kept["default"]  # a duration's default is a number of seconds; the description has it in the file's syntax
    branches = [branch for branch in kept.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        del kept["anyOf"]
        return {**branches[0], **kept}
    return {**kept, "anyOf": branches} if branches else kept


TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping (key: value)",
}

PARSERS: dict[str, Callable[[object], object]] = {
    "duration": fields.parse_duration,
    "rate": fields.parse_rate,
    "points": fields.parse_points,
    "latency margin": fields.parse_latency_margin,
    "cost margin": fields.parse_cost_margin,
}
"""Schema title of a quantity → its parser, which raises UnitError."""


def suite_mistakes(value: Any) -> list[Mistake]:
    """Every structural mistake of a suite file's content."""
    return _find(suite_json_schema, value)


def prompt_entry_mistakes(value: Any) -> list[Mistake]:
    """Every structural mistake of one prompt."""
    return _find(prompt_entry_schema, value)


def check_entry_mistakes(value: Any) -> list[Mistake]:
    """Every structural mistake of one check, whatever its type."""
    return _find(check_entry_schema, value)


@cache
def _validator(make_schema: Callable[[], Schema]) -> Validator:
    """A validator that, like msgspec, does not accept 300.0 as a whole number."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    kind: type[Validator] = extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"pattern": _check_pattern}, type_checker=checker
    )
    return kind(make_schema())


def _check_pattern(validator: Validator, pattern: str, value: object, schema: Schema) -> Iterator[ValidationError]:
    """Check quantities with their parsers, which know the bounds too, and other texts with their pattern."""
    from jsonschema import ValidationError

    if not isinstance(value, str):
        return
    parse = PARSERS.get(schema.get("title", ""))
    if parse is None:
        if not re.search(pattern, value):
            yield ValidationError(f"{describe(value)} does not match {pattern}")
        return
    try:
        parse(value)
    except fields.UnitError as error:
        yield ValidationError(str(error))


def _find(make_schema: Callable[[], Schema], value: Any) -> list[Mistake]:
    found = [mistake for error in _validator(make_schema).iter_errors(value) for mistake in _explain(error)]
    return list(dict.fromkeys(found))


def _explain(error: ValidationError) -> Iterator[Mistake]:
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    title = schema.get("title")
    match error.validator:
        case "additionalProperties":
            yield from _unknown(path, error.instance, list(schema["properties"]))
        case "required":
            yield from _missing(path, error.instance, schema)
        case "anyOf":
            yield from _explain_union(path, error)
        case "type" | "pattern" if title in PARSERS:
            yield Mistake(path, _unreadable(PARSERS[title], error.instance))
        case _:
            yield Mistake(path, _describe(error, title))


def _describe(error: ValidationError, title: str | None) -> str:
    expected: Any = error.validator_value
    schema: Any = error.schema
    got = describe(error.instance)
    match error.validator:
        case "type":
            return f"expected {TYPES[expected]}, got {got}"
        case "enum":
            return unknown_word(error.instance, expected)
        case "minItems" | "minLength":
            return "must not be empty"
        case "maxLength":
            return f"is longer than {expected} characters"
        case "minimum":
            return f"must be at least {expected:,.15g}, got {error.instance}"
        case "maximum":
            return f"must be at most {expected:,.15g}, got {error.instance}"
        case "exclusiveMinimum":
            return f"must be more than {expected:,.15g}, got {error.instance}"
        case "pattern" if title == "endpoint":
            return f"{got} is neither simulator, aws nor a URL; write for example http://127.0.0.1:9000"
        case "pattern":
            return f"{got} contains a character that is not allowed{_for_example(schema)}"
        case _:
            return error.message


def _unknown(path: KeyPath, content: Any, known: list[str]) -> Iterator[Mistake]:
    for key in content:
        if key not in known:
            yield Mistake((*path, key), unknown_key(key, known))


def _missing(path: KeyPath, content: Any, schema: Schema) -> Iterator[Mistake]:
    """Missing keys, except those that are reported as misspelt."""
    known = list(schema["properties"])
    closed = schema.get("additionalProperties") is False
    misspelt = {_nearest(key, known) for key in content if closed and key not in known}
    for key in schema["required"]:
        if key not in content and key not in misspelt:
            yield Mistake(path, f"missing key {key!r}")


def _explain_union(path: KeyPath, error: ValidationError) -> Iterator[Mistake]:
    """The mistakes of the branch with the right type, else a mistake that names the expected types."""
    here = len(error.absolute_path)
    wrong_type = {each.schema_path[0] for each in error.context if _is_wrong_type(each, here)}
    fitting = [each for each in error.context if each.schema_path[0] not in wrong_type]
    if fitting:
        for each in fitting:
            yield from _explain(each)
        return
    expected: list[tuple[str, Any]] = [(str(each.validator), each.validator_value) for each in error.context]
    names = [name for keyword, name in expected if keyword == "type"]
    types = [TYPES[name] for name in names if not (name == "integer" and "number" in names)]
    words = [word for keyword, known in expected if keyword == "enum" for word in known]
    if words and isinstance(error.instance, str):
        yield Mistake(path, unknown_word(error.instance, words))
    else:
        yield Mistake(path, f"expected {' or '.join(types)}, got {describe(error.instance)}")


def _is_wrong_type(error: ValidationError, depth: int) -> bool:
    return len(error.absolute_path) == depth and error.validator in ("type", "enum")


def _unreadable(parse: Callable[[object], object], value: Any) -> str:
    if isinstance(value, list | dict) or value is None:
        return f"expected text, got {describe(value)}"
    try:
        parse(value)
    except fields.UnitError as error:
        return str(error)
    return f"{value!r} cannot be read"


def unknown_key(key: str, known: list[str]) -> str:
    """`unknown key 'promt'; did you mean 'prompt'?`, or with the known keys if none is similar."""
    if key == "<<":
        return "merge keys are not supported; write the keys out, or put those of all targets under `defaults`"
    nearest = _nearest(key, known)
    hint = f"; did you mean {nearest!r}?" if nearest else f" (known: {', '.join(known)})"
    return f"unknown key {key!r}{hint}"


def unknown_word(word: object, known: list[str]) -> str:
    """`'clsed' is not one of closed, constant; did you mean 'closed'?`."""
    nearest = _nearest(str(word), known)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    return f"{describe(word)} is not one of {', '.join(map(str, known))}{hint}"


def describe(value: Any) -> str:
    """A value as shown in a message, shortened."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:59] + "…")
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"the number {value}"


def _nearest(word: str, known: list[str]) -> str | None:
    return next(iter(get_close_matches(word, known, n=1)), None)


def _for_example(schema: Schema) -> str:
    examples = schema.get("examples")
    return f"; write for example {examples[0]}" if examples else ""
