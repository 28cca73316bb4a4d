from __future__ import annotations

import msgspec

from harness.catalog.target import Options, Target, Tool
from harness.suite.digest import digest_suite
from harness.suite.generate import with_filler
from harness.suite.private_texts import TOO_SLOW, pattern_redactor, redact_answer, redact_json, storable_suite
from harness.suite.stored import check_storable
from harness.suite.suite import Check, Filler, Load, Message, Prompt, Suite

HAIKU = Target(name="h", model="claude-haiku-4-5", base_model="anthropic.h", model_id="us.anthropic.h", routing="us",
               api="converse", client="wire", region="us-east-1")  # fmt: skip

TOOL = Tool(name="t", description="about Falcon", input_schema={"type": "object", "properties": {"Falcon": {}}})


def make_suite(load: Load, content: str = "Falcon flies") -> Suite:
    filler = Filler(tokens=20, needle="Falcon lands")
    prompts = (
        Prompt(
            id="a",
            messages=(Message(role="user", content=content),),
            expect="Falcon",
            checks=(Check(type="contains", params={"expect": ["a Falcon"]}),),
            options=Options(system="You are Falcon", stop_sequences=["Falcon"], tools=[TOOL]),
        ),
        Prompt(id="b", filler=filler, messages=(with_filler(Message(role="user", content="Who is Falcon?"), filler),)),
    )
    suite = Suite(name="s", digest="", endpoint="simulator", targets=(HAIKU,), prompts=prompts, load=load)
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def test_a_suite_that_stores_everything_is_stored_as_it_is() -> None:
    suite = make_suite(Load(store_text=0.5))
    assert suite is storable_suite(suite)


def test_matches_are_replaced_wherever_a_suite_has_text_and_patterns_are_left_out() -> None:
    suite = make_suite(Load(redact=("Falcon",)))
    stored = storable_suite(suite)
    first, second = stored.prompts
    assert ("[redacted] flies", "[redacted]") == (first.messages[0].content, first.expect)
    assert {"expect": ["a [redacted]"]} == first.checks[0].params
    assert (
        Options(
            system="You are [redacted]",
            stop_sequences=["[redacted]"],
            tools=[Tool(name="t", description="about [redacted]", input_schema=TOOL.input_schema)],
        )
        == first.options
    )
    assert "Falcon" not in second.messages[0].content
    assert (suite.digest, None, False) == (stored.digest, stored.load.redact, stored.texts_as_sent)
    check_storable(stored)


def test_without_texts_different_prompts_stay_different() -> None:
    stored, other = (storable_suite(make_suite(Load(store_text=0.0), content)) for content in ("Falcon", "Eagle"))
    assert b"Falcon" not in msgspec.json.encode(stored).replace(b'"Falcon":{}', b"")
    assert stored.prompts[0].messages != other.prompts[0].messages
    assert stored.prompts[1] == other.prompts[1]
    assert () == stored.prompts[0].checks
    check_storable(stored)


def test_a_pattern_that_takes_too_long_leaves_the_text_out() -> None:
    assert TOO_SLOW == pattern_redactor(["(a|aa)+$"])("a" * 100 + "b")


def test_after_a_text_that_takes_too_long_the_others_of_an_answer_are_left_out() -> None:
    redact, slow = pattern_redactor(["(a|aa)+$"]), "a" * 100 + "b"
    assert f'["x","{TOO_SLOW}","{TOO_SLOW}"]' == redact_json(f'["x","{slow}","y"]', redact)
    assert TOO_SLOW == redact_answer(f'Hi\n{{"tool":"t","input":{{"a":"{slow}"}}}}', redact)


def test_json_stays_json_when_its_texts_are_redacted() -> None:
    assert '[{"text":"[redacted]","page":1}]' == redact_json('[{"text":"a\\"b","page":1}]', pattern_redactor(['a"b']))


def test_a_tool_call_is_redacted_as_the_model_wrote_it_and_as_it_is_stored() -> None:
    call = '{"tool":"open","input":{"path":"C:\\\\Falcon\\\\x","card":1234,"Falcon":1}}'
    redact = pattern_redactor([r"C:\\Falcon\\x", r"\b1234\b", "^Call"])
    assert (
        '[redacted] it:\n{"tool":"open","input":{"path":"[redacted]","card":[redacted],"Falcon":1}}'
        == redact_answer(f"Call it:\n{call}", redact)
    )
    assert '{"tool":[redacted]' == redact_answer('{"tool":1234', redact)
