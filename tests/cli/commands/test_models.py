import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import typer
from typer.testing import CliRunner, Result

from harness.cli.commands.models import models
from harness.errors import CatalogError, EndpointError


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
    for part in ("global us eu jp au us-gov* in-region*", "legacy 2026-10-08, ends 2027-04-08", "200K", "64K", "+10%"):
        assert part in text
    assert "deprecated 2025-10-28" in invoke("3-7-sonnet").stdout
    assert "over 100K input tokens" in invoke("haiku-5-5").stdout


def test_the_footer_lists_each_source_with_its_facts_and_dates() -> None:
    text = invoke("sonnet-4-5", columns=200).stdout
    assert "the guide 'Claude on Amazon Bedrock', early 2026: offered" in text
    assert "bedrock-models " in text
    assert "genai-prices " in text


def test_sources_shows_every_fact_with_its_source() -> None:
    text = invoke("claude-opus-4-5", "--sources", columns=200).stdout
    for what in (
        "offered: global",
        "offered: eu",
        "status",
        "context window",
        "burndown",
        "price: global",
        "price: us eu",
    ):
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


OWN_ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"


class Bedrock(Protocol):
    url: str


@pytest.fixture
def ask_live(bedrock: Bedrock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`harness models ARGUMENTS --live` at the embedded Bedrock, whose Region is us-east-1 unless it is named."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    return lambda *args: invoke(*args, "--live", "--endpoint", bedrock.url, columns=200)


def test_live_shows_what_the_account_can_use_in_its_region(ask_live: Callable[..., Result]) -> None:
    text = ask_live("claude-opus-4-5").stdout
    assert "us-east-1: global us" in text
    assert "others: eu" in text
    assert "live account in us-east-1, 20" in text


def test_a_routing_that_the_account_does_not_list_is_not_offered_there(ask_live: Callable[..., Result]) -> None:
    text = ask_live("claude-sonnet-4-5", "--region", "sa-east-1").stdout
    assert "sa-east-1: global" in text
    assert "others: us eu jp au" in text


def test_live_shows_the_models_of_the_accounts_own_profiles(ask_live: Callable[..., Result]) -> None:
    (profile, *_) = json.loads(ask_live("--json").stdout)["application_profiles"]
    found = json.loads(ask_live(profile["arn"], "--json").stdout)
    assert [profile["base_id"]] == [model["base_id"] for model in found["models"]]
    assert f"your profile '{profile['name']}'" in ask_live(profile["arn"]).stdout
    unknown = ask_live(OWN_ARN)
    assert "this account does not list it" in str(unknown.exception)


def test_live_asks_the_given_region(ask_live: Callable[..., Result]) -> None:
    (model,) = json.loads(ask_live("claude-opus-4-5", "--region", "us-west-2", "--json").stdout)["models"]
    assert model["live_region"] == "us-west-2"
    assert model["routings"]["us"]["value"] == ["us-west-2"]
    assert model["routings"]["us"]["source"] == "live account in us-west-2"


def test_an_unreachable_account_is_an_error_for_the_user() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    result = invoke("--live", "--endpoint", url, "--region", "us-east-1")
    assert isinstance(result.exception, EndpointError)
    assert result.exception.exit_code == 2


@pytest.mark.parametrize("options", [("--region", "us-east-1"), ("--endpoint", "http://127.0.0.1:1")])
def test_options_for_live_are_rejected_without_it(options: tuple[str, str]) -> None:
    result = invoke(*options)
    assert isinstance(result.exception, EndpointError)
    assert "need --live" in str(result.exception)


def test_an_application_profile_without_live_suggests_live() -> None:
    result = invoke(OWN_ARN)
    assert isinstance(result.exception, CatalogError)
    assert "add --live" in str(result.exception)


def test_prices_are_shown_for_every_kind_of_token_and_routing() -> None:
    lines = [line.split() for line in invoke("claude-opus-4-8", columns=120).stdout.splitlines()]
    assert ["global", "5", "25", "6.25", "10", "0.5"] in lines
    assert ["us", "eu", "jp", "au", "+10%", "5.5", "27.5", "6.875", "11", "0.55"] in lines
    assert ["us-gov", "+20%", "6", "30", "7.5", "12", "0.6"] in lines


def test_the_users_prices_are_marked_and_override_others(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('[[prices]]\nmodel = "claude-opus-4-8"\nrouting = "us"\ninput = 4\noutput = 20\n')
    text = invoke("claude-opus-4-8", "--prices", str(file), columns=120).stdout
    assert ["us", "(yours)", "-20%", "4", "20", "–", "–", "–"] in [line.split() for line in text.splitlines()]
    assert "user's price file" in text
    prices = listed("claude-opus-4-8", "--prices", str(file))["claude-opus-4-8"]["prices"]
    assert (prices["us"]["input"], prices["us"]["source"]) == (4, "user's price file")
    assert prices["eu"]["input"] == 5.5
