"""`harness schema`: the suite file's JSON Schema, for editors."""

from __future__ import annotations

import typer


def schema() -> None:
    """Print the JSON Schema of the suite file, so that an editor completes and checks it.

    \b
    harness schema > suite.schema.json
    """
    import msgspec

    from harness.scoring.checks import check_schemas
    from harness.suite.grammar.structure import suite_json_schema

    typer.echo(msgspec.json.format(msgspec.json.encode(suite_json_schema(check_schemas())), indent=2).decode())
