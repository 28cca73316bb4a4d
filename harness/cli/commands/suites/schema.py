"""`harness schema`: the JSON Schema of the suite file."""

from __future__ import annotations

from harness.cli.output import print_json


def schema() -> None:
    """Print the JSON Schema of the suite file, for an editor.

    \b
    harness schema > suite.schema.json
    """
    from harness.scoring.checks import check_schemas
    from harness.suite.grammar.structure import suite_json_schema

    print_json(suite_json_schema(check_schemas()))
