import pytest

from harness.catalog.target import resolve_target, target_warnings
from harness.clock import utc_now
from harness.errors import CatalogError


def resolve(model: str, **more: str):
    return resolve_target(model=model, api="mantle", client="anthropic", **more)


@pytest.mark.parametrize(
    ("model", "own_id"),
    [("claude-haiku-4-5", "anthropic.claude-haiku-4-5"), ("claude-opus-4-7", "anthropic.claude-opus-4-7")],
)
def test_mantle_is_called_by_the_models_own_id(model: str, own_id: str) -> None:
    target = resolve(model)
    assert (own_id, "in-region", "us-east-1") == (target.model_id, target.routing, target.region)
    assert f"{model}/in-region/mantle" == target.name


def test_the_users_own_region_is_taken_where_mantle_has_the_model() -> None:
    assert "eu-west-1" == resolve("claude-opus-4-7", home_region="eu-west-1").region
    assert "us-east-1" == resolve("claude-opus-4-7", home_region="eu-central-1").region


@pytest.mark.parametrize("routing", ["global", "us"])
def test_a_profile_is_not_for_mantle(routing: str) -> None:
    with pytest.raises(CatalogError, match=f"'{routing}' cannot be used with api 'mantle'"):
        resolve("claude-opus-4-7", routing=routing)


def test_a_region_without_the_model_is_refused_with_those_that_have_it() -> None:
    with pytest.raises(
        CatalogError, match=r"does not offer claude-opus-4-7 on bedrock-mantle \(offered in: .*us-east-1"
    ):
        resolve("claude-opus-4-7", region="sa-east-1")


def test_a_model_that_no_source_lists_is_called_with_a_warning() -> None:
    target = resolve("claude-sonnet-4-6", region="sa-east-1")
    assert ("anthropic.claude-sonnet-4-6", "sa-east-1") == (target.model_id, target.region)
    assert any("bedrock-mantle" in warning for warning in target_warnings(target, today=utc_now().date()))
