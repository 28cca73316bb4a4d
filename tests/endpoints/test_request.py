import pytest

from harness.catalog.target import Options, Target
from harness.endpoints.request import DEFAULT_MAX_TOKENS, build_request
from harness.suite.schema import Message, Prompt

TURNS = (
    Message(role="user", content="2+2?"),
    Message(role="assistant", content="4"),
    Message(role="user", content="3+3?"),
)


def _target(api, options):
    return Target(
        name="t",
        model="m",
        base_model="b",
        model_id="us.b-v1:0",
        routing="us",
        api=api,
        client="aioboto3",
        region="us-east-1",
        stream=False,
        options=options,
    )


EVERYTHING = Options(
    max_tokens=7, system="Be brief.", temperature=0.5, top_p=0.9, top_k=40, stop_sequences=["END", "STOP"]
)


def test_invoke_sends_every_option_in_the_messages_dialect():
    request = build_request(_target("invoke", EVERYTHING), Prompt(id="p", messages=TURNS))
    assert (request.api, request.model_id, request.stream) == ("invoke", "us.b-v1:0", False)
    assert request.body == {
        "anthropic_version": "bedrock-2023-05-31",
        "messages": [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": "3+3?"},
        ],
        "max_tokens": 7,
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["END", "STOP"],
    }


def test_converse_sends_every_option_in_its_own_dialect():
    request = build_request(_target("converse", EVERYTHING), Prompt(id="p", messages=TURNS))
    assert request.body == {
        "messages": [
            {"role": "user", "content": [{"text": "2+2?"}]},
            {"role": "assistant", "content": [{"text": "4"}]},
            {"role": "user", "content": [{"text": "3+3?"}]},
        ],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 7, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END", "STOP"]},
        "additionalModelRequestFields": {"top_k": 40},
    }


@pytest.mark.parametrize(
    ("api", "key", "value"),
    [("invoke", "max_tokens", DEFAULT_MAX_TOKENS), ("converse", "inferenceConfig", {"maxTokens": DEFAULT_MAX_TOKENS})],
)
def test_nothing_is_sent_that_nobody_asked_for_but_a_limit_on_tokens(api, key, value):
    body = build_request(_target(api, Options()), Prompt(id="p", messages=TURNS)).body
    assert body.keys() - {"messages", "anthropic_version"} == {key}
    assert body[key] == value


def test_a_prompts_own_options_win_over_the_targets_one_by_one():
    prompt = Prompt(id="p", messages=TURNS, options=Options(max_tokens=3, temperature=0.0))
    body = build_request(_target("invoke", EVERYTHING), prompt).body
    assert (body["max_tokens"], body["temperature"], body["top_k"]) == (3, 0.0, 40)
