"""The JSON Schema of the suite file: what `harness schema` prints and what the loader checks against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.suite.grammar.fields import CheckEntry
from harness.suite.grammar.file import PromptEntry, SuiteFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def suite_json_schema(check_schemas: Mapping[str, Schema] | None = None) -> Schema:
    """The file's JSON Schema (Draft 2020-12). `check_schemas`: check type → schema of its parameters.

    With `check_schemas`, an editor knows every check's parameters; without, any parameter is allowed.
    """
    (root,), components = msgspec.json.schema_components([SuiteFile], ref_template="#/$defs/{name}")
    definitions = {name: _without_null(schema) for name, schema in components.items()}
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
    """One check: the type decides which parameters there are."""
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
    """The parameters' schema, made to allow the key `type` beside them."""
    return {**schema, "properties": {"type": {}, **schema.get("properties", {})}}


def _without_null(schema: Any) -> Any:
    """The schema without null, msgspec's way to say that a key may be left out: a key without a value is a mistake."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if not (key == "default" and value is None)}
    branches = [branch for branch in kept.get("anyOf", ()) if branch != {"type": "null"}]
    if len(branches) == 1:
        del kept["anyOf"]
        return {**branches[0], **kept}
    return {**kept, "anyOf": branches} if branches else kept
