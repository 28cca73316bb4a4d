from typing import Any

import pytest

from harness.catalog.models import Model, find_model, known_models
from harness.catalog.refusals import refusals
from harness.catalog.target import Options


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        ("claude-opus-4-7", {"temperature": 0.0}, ["temperature"]),
        ("claude-haiku-5-5", {"temperature": 0.0, "top_p": 0.9, "top_k": 5}, ["temperature", "top_p", "top_k"]),
        ("claude-fable-5-1", {"top_k": 5}, ["top_k"]),
        ("claude-opus-4-6", {"temperature": 0.0}, []),
        ("claude-opus-4-6", {"temperature": 0.0, "top_p": 0.9}, ["top_p"]),
        ("claude-sonnet-4", {"temperature": 0.0, "top_p": 0.9}, []),
        ("claude-3-5-haiku", {"thinking": 2000}, ["thinking"]),
        ("claude-3-7-sonnet", {"thinking": 2000}, []),
        ("claude-sonnet-4-5", {"thinking": "adaptive"}, ["thinking"]),
        ("claude-sonnet-4-6", {"thinking": "adaptive"}, []),
        ("claude-sonnet-4-6", {"thinking": 2000}, []),
        ("claude-opus-4-7", {"thinking": 2000}, ["thinking"]),
        ("claude-opus-4-7", {"thinking": "adaptive"}, []),
        ("claude-sonnet-4-5", {"thinking": 1023}, ["thinking"]),
        ("claude-sonnet-4-5", {"thinking": 2000, "max_tokens": 2000}, ["thinking"]),
        ("claude-sonnet-4-5", {"thinking": 2000, "max_tokens": 2001}, []),
        ("claude-sonnet-4-5", {"thinking": 2000, "temperature": 0.5}, ["temperature"]),
        ("claude-sonnet-4-5", {"thinking": 2000, "temperature": 1}, []),
        ("claude-sonnet-4-5", {"thinking": 2000, "top_k": 3}, ["top_k"]),
        ("claude-sonnet-4-5", {"thinking": 2000, "top_p": 0.9}, ["top_p"]),
        ("claude-sonnet-4-5", {"thinking": 2000, "top_p": 0.95}, []),
        ("claude-sonnet-4-5", {"thinking": 2000, "tool_choice": "any"}, ["tool_choice"]),
        ("claude-opus-5", {"thinking": "adaptive", "tool_choice": "get_weather"}, ["tool_choice"]),
        ("claude-opus-5", {"thinking": "adaptive", "tool_choice": "auto"}, []),
        ("claude-opus-4-1", {"max_tokens": 32_001}, ["max_tokens"]),
        ("claude-opus-4-1", {"max_tokens": 32_000}, []),
        ("claude-sonnet-4-6", {"max_tokens": 128_000}, []),
        ("claude-fable-5", {"max_tokens": 10_000_000}, []),
        ("claude-3-haiku", {"cache": "5m"}, ["cache"]),
        ("claude-sonnet-4", {"cache": "5m"}, []),
        ("claude-sonnet-4", {"cache": "1h"}, ["cache"]),
        ("claude-sonnet-4-5", {"cache": "1h"}, []),
        ("claude-3-opus", {"citations": True}, ["citations"]),
        ("claude-3-opus", {"citations": False}, []),
        ("claude-sonnet-4-5", {"citations": True}, []),
        ("claude-haiku-4-5", {"service_tier": "flex"}, ["service_tier"]),
        ("claude-haiku-4-5", {"service_tier": "reserved"}, []),
        ("claude-opus-5", {"service_tier": "flex"}, []),
        ("claude-opus-5", {"latency": "optimized"}, ["latency"]),
        ("claude-opus-5", {"latency": "standard"}, []),
        ("claude-3-5-haiku", {"latency": "optimized"}, []),
    ],
)
def test_what_a_model_refuses_is_known_before_sending(name: str, options: dict[str, Any], refused: list[str]) -> None:
    assert refused == [option for option, _ in refusals(find_model(name), Options(**options))]


def test_the_message_names_the_model_and_the_fix() -> None:
    expected = "claude-opus-4-7 refuses temperature, as does every model from 4.7 on; leave it out"
    assert [("temperature", expected)] == refusals(find_model("claude-opus-4-7"), Options(temperature=0))


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.name)
def test_no_model_refuses_a_plain_request(model: Model) -> None:
    assert refusals(model, Options(max_tokens=300, system="Answer briefly.", stop_sequences=["\n"])) == []
