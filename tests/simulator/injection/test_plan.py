"""Which requests get a fault, and what is said of a plan that cannot be read."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from harness.errors import EndpointError
from harness.simulator.injection.plan import FaultPlan, FaultRule, can_happen, read_rules
from harness.simulator.performance import Operation

HAIKU = Operation(model_id="us.anthropic.claude-haiku-4-5-20251001-v1:0", api="converse", stream=True)
GLOBAL_HAIKU = msgspec.structs.replace(HAIKU, model_id="global.anthropic.claude-haiku-4-5-20251001-v1:0")
SONNET = msgspec.structs.replace(HAIKU, model_id="us.anthropic.claude-sonnet-4-6")


def plan(*rules: dict[str, object], seed: int = 1) -> FaultPlan:
    return FaultPlan(read_rules(json.dumps(rules)), seed)


def test_without_conditions_a_rule_applies_to_every_request() -> None:
    assert "throttled" == plan({"fault": "throttled"}).find(HAIKU, "Hello?")
    assert None is FaultPlan((), 1).find(HAIKU, "Hello?")


def test_a_rule_for_a_model_applies_to_each_of_its_routings_and_one_for_a_profile_to_that() -> None:
    by_model = plan({"fault": "throttled", "model": "claude-haiku-4-5"})
    assert ["throttled", "throttled", None] == [by_model.find(each, "?") for each in (HAIKU, GLOBAL_HAIKU, SONNET)]
    by_profile = plan({"fault": "throttled", "model": HAIKU.model_id})
    assert ["throttled", None, None] == [by_profile.find(each, "?") for each in (HAIKU, GLOBAL_HAIKU, SONNET)]


def test_a_rule_can_name_an_api_and_part_of_a_prompt() -> None:
    found = plan({"fault": "throttled", "api": "converse", "prompt": "France"})
    assert "throttled" == found.find(HAIKU, "Capital of France?")
    assert None is found.find(HAIKU, "Capital of Italy?")
    assert None is found.find(msgspec.structs.replace(HAIKU, api="invoke"), "Capital of France?")


def test_requests_are_counted_from_one_among_those_that_match() -> None:
    found = plan({"fault": "throttled", "model": "claude-haiku-4-5", "requests": [1, 3]})
    faults = [found.find(each, "?") for each in (SONNET, HAIKU, HAIKU, SONNET, HAIKU, HAIKU)]
    assert [None, "throttled", None, None, "throttled", None] == faults


def test_the_first_rule_that_applies_wins() -> None:
    found = plan({"fault": "throttled", "requests": [2]}, {"fault": "denied"})
    assert ["denied", "throttled", "denied"] == [found.find(HAIKU, "?") for _ in range(3)]


def test_a_share_is_that_of_the_requests_and_the_same_in_any_order() -> None:
    prompts = [f"prompt {number % 500}" for number in range(2000)]
    drawn = {prompt: list[str | None]() for prompt in prompts}
    found = plan({"fault": "throttled", "share": 0.1})
    for prompt in prompts:
        drawn[prompt].append(found.find(HAIKU, prompt))
    faults = Counter(fault for each in drawn.values() for fault in each)
    assert 150 <= faults["throttled"] <= 250
    Random(1).shuffle(prompts)
    again, shuffled = {prompt: list[str | None]() for prompt in prompts}, plan({"fault": "throttled", "share": 0.1})
    for prompt in prompts:
        again[prompt].append(shuffled.find(HAIKU, prompt))
    assert drawn == again


def test_a_fault_of_streams_happens_to_no_other_answer_and_does_not_count_it() -> None:
    whole = msgspec.structs.replace(HAIKU, stream=False)
    found = plan({"fault": "cut_event", "requests": [1]})
    assert [None, "cut_event"] == [found.find(each, "?") for each in (whole, HAIKU)]
    assert not can_happen("bad_checksum", msgspec.structs.replace(HAIKU, api="messages"))


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"fault": "denied", "model": "claude-sonnet-4-6", "share": 0.5}]')
    rule = FaultRule(fault="denied", model="anthropic.claude-sonnet-4-6", share=0.5)
    assert (rule,) == read_rules(str(tmp_path / "faults.json"))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('[{"fault": "throtled"}]', "--faults: rule 1: there is no fault 'throtled'; use one of: throttled, "),
        ('[{"fault": "denied"}, {"fault": "denied", "model": "x"}]', "--faults: rule 2: unknown model 'x'"),
        ('[{"fault": "denied", "share": 1, "requests": [1]}]', "rule 1: has both `share` and `requests`; keep one"),
        ('[{"fault": "denied", "share": 2}]', r"--faults: .*<= 1.0 - at `\$\[0\].share`"),
        ('[{"fault": "denied", "requests": [0]}]', r"--faults: .*>= 1 - at `\$\[0\].requests"),
        ('[{"fault": "denied", "shares": 1}]', "--faults: not a list of faults .*unknown field `shares`"),
        ('{"fault": "denied"}', "--faults: not a list of faults .*Expected `array`, got `object`"),
        ("[" * 100_000, "--faults: not a list of faults"),
        ("no-such-file.json", "no-such-file.json: the faults cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_with_its_place(written: str, message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        read_rules(written)


async def test_the_simulator_injects_the_faults_of_its_plan(simulator: Callable[..., Awaitable[str]]) -> None:
    url = await simulator(speed=1000.0, faults=read_rules('[{"fault": "throttled_seconds", "requests": [1]}]'))
    first, second = [await post_converse(url) for _ in range(2)]
    assert first.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"\r\nRetry-After: 2\r\n" in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


async def post_converse(url: str) -> bytes:
    body = b'{"messages": [{"role": "user", "content": [{"text": "Hello?"}]}]}'
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(
        b"POST /model/%b/converse HTTP/1.1\r\nHost: x\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a\r\n"
        b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (HAIKU.model_id.encode(), len(body), body)
    )
    answer = await reader.read()
    writer.close()
    return answer
