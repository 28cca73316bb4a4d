import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from harness.cli.models import models
from harness.errors import CatalogError


def invoke(*args: str, columns: int = 80) -> Result:
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(models)
    return CliRunner().invoke(app, args, env={"COLUMNS": str(columns), "NO_COLOR": "1"})


def listed(*args: str) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(invoke(*args, "--json").stdout)["models"]}


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal_and_cuts_nothing(columns: int) -> None:
    result = invoke(columns=columns)
    assert result.exit_code == 0
    assert max(len(line) for line in result.stdout.splitlines()) <= columns
    assert "…" not in result.stdout.partition("sources")[0]
    assert "anthropic.claude-sonnet-4-5-20250929-v1:0" in result.stdout


def test_the_table_shows_routings_lifecycle_prices_and_the_premium() -> None:
    text = invoke("sonnet-4-5", columns=120).stdout
    for part in ("global us eu jp au in-region*", "legacy 2026-10-08, ends 2027-04-08", "200K / 64K", "3 / 15"):
        assert part in text
    assert "3.3 / 16.5" in text
    assert "+10%" in text
    assert "deprecated 2025-10-28" in invoke("3-7-sonnet").stdout
    assert "over 100,000 input tokens" in invoke("haiku-5-5").stdout


def test_the_footer_says_which_source_supplied_what_and_when() -> None:
    text = invoke("sonnet-4-5", columns=200).stdout
    assert "the guide 'Claude on Amazon Bedrock', early 2026: offered" in text
    assert "bedrock-models " in text
    assert "genai-prices " in text


def test_sources_shows_every_fact_with_its_source() -> None:
    text = invoke("claude-opus-4-5", "--sources", columns=200).stdout
    for what in ("offered: global", "offered: eu", "status", "context window", "price: global", "price: regional"):
        assert [line for line in text.splitlines() if line.strip().startswith(what)], what
    assert "cache write 1 h 10" in text


def test_without_colour_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in invoke().stdout


def test_json_holds_every_fact_and_price() -> None:
    model = listed("claude-sonnet-4-5")["claude-sonnet-4-5"]
    assert model["base_id"] == "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert model["prices"]["global"]["input"] == 3
    assert model["prices"]["us"]["input"] == 3.3
    assert model["regional_premium"] == 0.1
    assert model["end_of_life"]["value"] == "2027-04-08"
    assert set(model["routings"]["jp"]) == {"value", "source", "as_of"}


@pytest.mark.parametrize(
    "text",
    [
        "us.anthropic.claude-opus-4-5-20251101-v1:0",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
        "claude-opus-4-5-20251101",
    ],
)
def test_a_model_is_found_by_profile_id_arn_and_alias(text: str) -> None:
    assert list(listed(text)) == ["claude-opus-4-5"]


def test_no_match_is_an_error_that_names_the_nearest_models() -> None:
    result = invoke("claude-opsu-4-5")
    assert isinstance(result.exception, CatalogError)
    assert "did you mean claude-opus-4-5" in str(result.exception)
    assert result.stdout == ""
