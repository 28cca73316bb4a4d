from base64 import b64encode
from hashlib import sha256

import pytest

from harness.catalog.target import Options, Target, Tool
from harness.endpoints.request import DEFAULT_MAX_TOKENS, build_request
from harness.suite.suite import Attachment, Message, Prompt

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


def test_mantle_sends_what_invoke_sends_but_the_version():
    prompt = Prompt(id="p", messages=TURNS)
    invoke, mantle = (build_request(_target(api, EVERYTHING), prompt).body for api in ("invoke", "mantle"))
    assert mantle == {name: value for name, value in invoke.items() if name != "anthropic_version"}


TOOLS = [
    Tool(name="look_up", description="Looks it up.", input_schema={"type": "object"}),
    Tool(name="give_up", input_schema={"type": "object", "properties": {}}),
]


def _body(api, **options):
    return build_request(_target(api, Options(**options)), Prompt(id="p", messages=TURNS)).body


def test_tools_have_their_place_in_both_dialects():
    body = _body("invoke", tools=TOOLS, tool_choice="look_up")
    assert body["tools"] == [
        {"name": "look_up", "description": "Looks it up.", "input_schema": {"type": "object"}},
        {"name": "give_up", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert body["tool_choice"] == {"type": "tool", "name": "look_up"}
    assert _body("converse", tools=TOOLS, tool_choice="look_up")["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "look_up",
                    "description": "Looks it up.",
                    "inputSchema": {"json": {"type": "object"}},
                }
            },
            {"toolSpec": {"name": "give_up", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
        ],
        "toolChoice": {"tool": {"name": "look_up"}},
    }


@pytest.mark.parametrize("choice", ["auto", "any"])
def test_a_general_tool_choice_is_worded_as_each_api_words_it(choice):
    assert _body("mantle", tools=TOOLS, tool_choice=choice)["tool_choice"] == {"type": choice}
    assert _body("converse", tools=TOOLS, tool_choice=choice)["toolConfig"]["toolChoice"] == {choice: {}}


@pytest.mark.parametrize(
    ("thinking", "sent"), [(2048, {"type": "enabled", "budget_tokens": 2048}), ("adaptive", {"type": "adaptive"})]
)
def test_thinking_goes_to_the_model_through_every_api(thinking, sent):
    assert _body("invoke", thinking=thinking)["thinking"] == sent
    assert _body("mantle", thinking=thinking)["thinking"] == sent
    assert _body("converse", thinking=thinking)["additionalModelRequestFields"] == {"thinking": sent}


def test_beta_features_stand_where_each_api_wants_them():
    beta = ["context-1m-2025-08-07", "another"]
    requests = {
        api: build_request(_target(api, Options(beta=beta)), Prompt(id="p", messages=TURNS))
        for api in ("invoke", "converse", "mantle")
    }
    assert requests["invoke"].body["anthropic_beta"] == beta
    assert requests["converse"].body["additionalModelRequestFields"] == {"anthropic_beta": beta}
    assert "anthropic_beta" not in requests["mantle"].body
    assert requests["mantle"].headers == {"anthropic-beta": "context-1m-2025-08-07,another"}


def test_tier_and_latency_are_headers_of_invoke_and_members_of_converse():
    options = Options(service_tier="priority", latency="optimized")
    invoke, converse = (
        build_request(_target(api, options), Prompt(id="p", messages=TURNS)) for api in ("invoke", "converse")
    )
    assert invoke.headers == {
        "X-Amzn-Bedrock-Service-Tier": "priority",
        "X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized",
    }
    assert (converse.headers, converse.body["serviceTier"], converse.body["performanceConfig"]) == (
        {},
        {"type": "priority"},
        {"latency": "optimized"},
    )


@pytest.fixture
def attach(tmp_path):
    """`attach(name, media_type, bytes)`: an attachment of a file that is there."""

    def make(name, media_type, data):
        path = tmp_path / sha256(data).hexdigest()
        path.write_bytes(data)
        return Attachment(name=name, media_type=media_type, digest=sha256(data).hexdigest(), size=len(data), path=path)

    return make


@pytest.fixture
def prompt(attach):
    """Two documents and an image, asked about in the last user turn."""
    return Prompt(
        id="p",
        messages=(*TURNS, Message(role="assistant", content="The answer is")),
        documents=(attach("in/report.v2.pdf", "application/pdf", b"%PDF-1.7"), attach("n.md", "text/markdown", b"# N")),
        images=(attach("cat.jpg", "image/jpeg", b"\xff\xd8"),),
    )


def test_attachments_precede_the_text_of_the_last_user_turn_as_messages_blocks(prompt):
    body = build_request(_target("invoke", Options(citations=True)), prompt).body
    cites = {"citations": {"enabled": True}}
    assert body["messages"][0] == {"role": "user", "content": "2+2?"}
    assert body["messages"][3] == {"role": "assistant", "content": "The answer is"}
    assert body["messages"][2]["content"] == [
        {
            "type": "document",
            "source": {
                "type": "base64",
                "media_type": "application/pdf",
                "data": b64encode(b"%PDF-1.7").decode(),
            },
            "title": "report v2",
            **cites,
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "# N"},
            "title": "n",
            **cites,
        },
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/jpeg", "data": b64encode(b"\xff\xd8").decode()},
        },
        {"type": "text", "text": "3+3?"},
    ]


def test_attachments_precede_the_text_of_the_last_user_turn_as_converse_blocks_of_raw_bytes(prompt):
    body = build_request(_target("converse", Options(citations=False)), prompt).body
    cites = {"citations": {"enabled": False}}
    assert body["messages"][2]["content"] == [
        {"document": {"format": "pdf", "name": "report v2", "source": {"bytes": b"%PDF-1.7"}, **cites}},
        {"document": {"format": "md", "name": "n", "source": {"bytes": b"# N"}, **cites}},
        {"image": {"format": "jpeg", "source": {"bytes": b"\xff\xd8"}}},
        {"text": "3+3?"},
    ]


@pytest.mark.parametrize(("cache", "ttl"), [("5m", {}), ("1h", {"ttl": "1h"})])
def test_system_tools_and_documents_each_end_in_a_cache_point(prompt, cache, ttl):
    options = Options(system="Be brief.", tools=TOOLS, cache=cache)
    body = build_request(_target("mantle", options), prompt).body
    point = {"cache_control": {"type": "ephemeral", **ttl}}
    assert body["system"] == [{"type": "text", "text": "Be brief.", **point}]
    assert ["cache_control" in block for block in body["tools"]] == [False, True]
    assert ["cache_control" in block for block in body["messages"][2]["content"]] == [False, True, False, False]
    assert body["messages"][2]["content"][1]["cache_control"] == body["tools"][1]["cache_control"]
    converse = build_request(_target("converse", options), prompt).body
    point = {"cachePoint": {"type": "default", **ttl}}
    assert converse["system"] == [{"text": "Be brief."}, point]
    assert converse["toolConfig"]["tools"][2:] == [point]
    assert converse["messages"][2]["content"][2] == point


def test_caching_without_documents_adds_nothing_to_the_turns():
    for api in ("invoke", "converse"):
        assert _body(api, cache="5m") == _body(api)


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
