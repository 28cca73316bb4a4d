"""Loading a suite: what a good one becomes, and every mistake of a bad one with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.target import Options
from harness.errors import SuiteError
from harness.suite.grammar.file import (
    GateEntry,
    PromptEntry,
    TargetEntry,
)
from harness.suite.grammar.mistakes import Mistake
from harness.suite.loader import load_suite
from harness.suite.suite import Check, Load, Message, Quota, Retries, Slo, Suite, Timeouts

GOOD = """\
suite: demo
targets:
  - {model: claude-haiku-4-5, routing: global}
prompts:
  - {id: a, prompt: Hi, expect: Ho}
"""


def load(tmp_path: Path, text: str, **kwargs) -> Suite:
    path = tmp_path / "x.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return load_suite(path, **kwargs)


def mistakes(tmp_path: Path, text: str, **kwargs) -> list[str]:
    """The mistakes, files named relative to the suite's folder."""
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, text, **kwargs)
    return [told.replace(f"{tmp_path}/", "") for told in caught.value.mistakes]


def test_a_small_suite_gets_every_default(tmp_path: Path) -> None:
    suite = load(tmp_path, GOOD)
    (target,) = suite.targets
    assert ("demo", "simulator", None, None) == (suite.name, suite.endpoint, suite.baseline, suite.budget_usd)
    assert target.name == "claude-haiku-4-5/global/converse"
    assert ("converse", "wire", True) == (target.api, target.client, target.stream)
    assert Load() == suite.load
    assert Retries(max_attempts=1) == suite.retries


def test_quantities_become_seconds_and_rates(tmp_path: Path) -> None:
    suite = load(
        tmp_path,
        GOOD
        + """\
load: {arrival: constant, rate: 90/min, duration: 2m, warmup: 3}
retries: {max_attempts: 3, on: [throttled], base: 100ms, cap: 5s}
quota: {requests_per_minute: 300}
timeouts: {connect: 2s, first_token: 30s, total: 1m}
slo: {ttft: 800ms, e2e: 20s}
gate: {pass_rate: 3pp, ttft_p95: 15%}
budget_usd: 5
""",
    )
    assert Load(arrival="constant", rate_per_s=1.5, duration_s=120.0, warmup=3) == suite.load
    assert Retries(max_attempts=3, on=("throttled",), base_s=0.1, cap_s=5.0) == suite.retries
    assert suite.quota.requests_per_minute == 300
    assert Timeouts(connect_s=2.0, first_token_s=30.0, total_s=60.0) == suite.timeouts
    assert Slo(ttft_s=0.8, e2e_s=20.0) == suite.slo
    assert suite.gate == {"pass_rate": "3pp", "ttft_p95": "15%"}


def test_an_answer_is_the_text_that_was_written_whatever_yaml_calls_it(tmp_path: Path) -> None:
    written = ["1.50", "042", "yes", "2024-05-17", "10:30", "true", "1e3", "'x'"]
    prompts = "".join(f"  - {{id: p{n}, prompt: Hi, expect: {text}}}\n" for n, text in enumerate(written))
    suite = load(tmp_path, GOOD.split("prompts:")[0] + "prompts:\n" + prompts)
    assert [text.strip("'") for text in written] == [prompt.expect for prompt in suite.prompts]


def test_expect_alone_gets_the_default_check_and_the_suite_says_so(tmp_path: Path) -> None:
    suite = load(tmp_path, GOOD + "  - {id: b, prompt: Hi, expect: 5, checks: [{type: numeric, tolerance: 0.1}]}\n")
    assert [(Check(type="exact"),), (Check(type="numeric", params={"tolerance": 0.1}),)] == [
        prompt.checks for prompt in suite.prompts
    ]
    assert suite.notes == ("default check 'exact' for 1 prompt (a) with `expect` but without `checks`",)


def test_a_prompt_that_nothing_grades_is_a_warning(tmp_path: Path) -> None:
    suite = load(tmp_path, GOOD + "  - {id: b, prompt: Hi}\n")
    assert suite.warnings == ("not graded, as `expect` and `checks` are missing: 1 prompt (b)",)


def test_a_conversation_keeps_its_turns(tmp_path: Path) -> None:
    text = GOOD + (
        "  - {id: b, expect: x, messages: [{role: user, content: 1}, {role: assistant, content: b},"
        " {role: user, content: c}]}\n"
    ).replace("content: 1", "content: a")
    assert (
        Message(role="user", content="a"),
        Message(role="assistant", content="b"),
        Message(role="user", content="c"),
    ) == load(tmp_path, text).prompts[1].messages


def test_lists_multiply_into_a_matrix(tmp_path: Path) -> None:
    text = GOOD.replace(
        "{model: claude-haiku-4-5, routing: global}",
        "{model: [claude-haiku-4-5, claude-sonnet-4-6], routing: [global, us], api: [invoke, converse]}",
    )
    assert [
        f"{model}/{routing}/{api}"
        for model in ("claude-haiku-4-5", "claude-sonnet-4-6")
        for routing in ("global", "us")
        for api in ("invoke", "converse")
    ] == [target.name for target in load(tmp_path, text).targets]


def test_a_name_is_extended_only_by_what_tells_targets_apart(tmp_path: Path) -> None:
    text = GOOD.replace(
        "{model: claude-haiku-4-5, routing: global}",
        "{model: claude-haiku-4-5, routing: [global, us], api: invoke, client: [aioboto3, anthropic]}\n"
        "  - {model: claude-haiku-4-5, routing: eu, api: invoke, label: mine}\n"
        "  - {model: claude-haiku-4-5, routing: us, region: [us-east-1, us-west-2]}",
    )
    assert [
        "claude-haiku-4-5/global/invoke/aioboto3",
        "claude-haiku-4-5/global/invoke/anthropic",
        "claude-haiku-4-5/us/invoke/aioboto3",
        "claude-haiku-4-5/us/invoke/anthropic",
        "mine",
        "claude-haiku-4-5/us/converse/us-east-1",
        "claude-haiku-4-5/us/converse/us-west-2",
    ] == [target.name for target in load(tmp_path, text).targets]


def test_a_targets_own_option_wins_over_the_defaults(tmp_path: Path) -> None:
    text = GOOD.replace("routing: global}", "routing: global, max_tokens: 9}").replace(
        "targets:", "defaults: {max_tokens: 300, system: Brief.}\ntargets:"
    )
    options = load(tmp_path, text).targets[0].options
    assert (9, "Brief.", None) == (options.max_tokens, options.system, options.temperature)


def test_the_home_region_is_preferred_where_a_target_names_none(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD, home_region="eu-west-1").targets[0].region == "eu-west-1"


# What replaces what in GOOD → the one mistake, without the file's name.
BAD = [
    (
        "suite: demo\n",
        "",
        "1: missing key 'suite'",
    ),
    (
        "suite: demo",
        "suite: a b",
        "1: suite: 'a b' contains a character that is not allowed; write for example support-triage",
    ),
    (
        "suite: demo",
        "suite:",
        "1: suite: expected text, got nothing",
    ),
    (
        "suite: demo",
        "suite: demo\nendpoint: simulatr",
        "2: endpoint: 'simulatr' is neither simulator, aws nor a URL; write for example http://127.0.0.1:9000",
    ),
    (
        "prompts:",
        "promts:",
        "4: promts: unknown key 'promts'; did you mean 'prompts'?",
    ),
    (
        "prompt: Hi",
        "promt: Hi",
        "5: prompts[0].promt: unknown key 'promt'; did you mean 'prompt'?",
    ),
    (
        "model:",
        "modle:",
        "3: targets[0].modle: unknown key 'modle'; did you mean 'model'?",
    ),
    (
        "{model: claude-haiku-4-5, routing: global}",
        "{routing: global}",
        "3: targets[0]: missing key 'model'",
    ),
    (
        "{model: claude-haiku-4-5, routing: global}",
        "claude-haiku-4-5",
        "3: targets[0]: expected a mapping (key: value), got 'claude-haiku-4-5'",
    ),
    (
        "claude-haiku-4-5",
        "claude-opus-4-5, stream: maybe",
        "3: targets[0].stream: expected true or false or a list, got 'maybe'",
    ),
    (
        "routing: global",
        "routing: [global, apac]",
        "3: targets[0].routing[1]: 'apac' is not offered for claude-haiku-4-5 (offered: global, us, eu, jp, au, in)",
    ),
    (
        "routing: global",
        "routing: []",
        "3: targets[0].routing: must not be empty",
    ),
    (
        "routing: global",
        "api: convers",
        "3: targets[0].api: 'convers' is not one of converse, invoke, mantle, messages, openai; "
        "did you mean 'converse'?",
    ),
    (
        "routing: global",
        "region: evil.example/us-east-1",
        "3: targets[0].region: 'evil.example/us-east-1' contains a character that is not allowed; write"
        " for example us-east-1",
    ),
    (
        "routing: global",
        "routing: [us, eu], label: mine",
        "3: targets[0].label: one label cannot name 2 targets; drop it, or write one entry per target",
    ),
    (
        "routing: global}",
        "routing: global}\n  - {model: claude-haiku-4-5}",
        "4: targets[1]: two targets are named 'claude-haiku-4-5/global/converse'; give one a label or drop it",
    ),
    (
        "prompts:",
        "baseline: claude-haiku-4-5/global/convers\nprompts:",
        "4: baseline: 'claude-haiku-4-5/global/convers' is not one of claude-"
        "haiku-4-5/global/converse; did you mean 'claude-haiku-4-5/global/converse'?",
    ),
    (
        "prompts:",
        "load: {duration: 60}\nprompts:",
        "4: load.duration: '60' has no unit; write 60s",
    ),
    (
        "prompts:",
        "load: {rate: 5/s}\nprompts:",
        "4: load.rate: only arrivals 'constant', 'poisson', 'gamma' and 'ramp' take 'rate', but this load is 'closed'",
    ),
    (
        "prompts:",
        "load: {arrival: constant}\nprompts:",
        "4: load: arrival 'constant' needs 'rate'; for example rate: 5/s",
    ),
    (
        "prompts:",
        "load: {arrival: constant, rate: 5/s, concurrency: 2}\nprompts:",
        "4: load.concurrency: only arrival 'closed' takes 'concurrency', but this load is 'constant'",
    ),
    (
        "prompts:",
        "load: {arrival: clsed}\nprompts:",
        "4: load.arrival: 'clsed' is not one of closed, constant, gamma, poisson, ramp, steps, trace; did you mean "
        "'closed'?",
    ),
    (
        "prompts:",
        "load: {repeats: 0}\nprompts:",
        "4: load.repeats: must be at least 1, got 0",
    ),
    (
        "prompts:",
        "gate: {pass_rate: 3%}\nprompts:",
        "4: gate.pass_rate: '3%' is not a margin in percentage points; for example 3pp",
    ),
    (
        "prompts:",
        "gate: {ttft_p95: '15'}\nprompts:",
        "4: gate.ttft_p95: '15' has no unit; write 15% or 15ms",
    ),
    (
        "prompts:",
        "gate: {cost_per_request: 0.002}\nprompts:",
        "4: gate.cost_per_request: '0.002' has no unit; write 0.002% or $0.002",
    ),
    (
        "prompts:",
        "gate: {pass_rate_by_tag: {fcts: 5pp}}\nprompts:",
        "4: gate.pass_rate_by_tag.fcts: no prompt has any tag, so none has 'fcts'",
    ),
    (
        "prompts:",
        "gate: {ttft_p9: 3%}\nprompts:",
        "4: gate.ttft_p9: unknown key 'ttft_p9'; did you mean 'ttft_p99'?",
    ),
    (
        "prompts:",
        "timeouts: {first_token: 2m, total: 60s}\nprompts:",
        "4: timeouts: first_token (120 s) is longer than total (60 s)",
    ),
    (
        "prompts:",
        "budget_usd: 0\nprompts:",
        "4: budget_usd: must be more than 0, got 0",
    ),
    (
        "prompts:",
        "retries: {on: [throttled]}\nprompts:",
        "4: retries: missing key 'max_attempts'",
    ),
    (
        "prompt: Hi",
        "prompt: 7",
        "5: prompts[0].prompt: expected text, got the number 7",
    ),
    (
        "prompt: Hi",
        "prompt: ' '",
        "5: prompts[0].prompt: must not be blank",
    ),
    (
        "prompt: Hi, ",
        "",
        "5: prompts[0]: prompt 'a' has no text; add `prompt` or `messages`",
    ),
    (
        "prompt: Hi, ",
        "prompt: Hi, messages: [{role: user, content: x}], ",
        "5: prompts[0].messages: use either `prompt` or `messages`, not both",
    ),
    (
        "prompt: Hi",
        "messages: [{role: assistant, content: x}]",
        "5: prompts[0].messages[0].role: expected 'user', got 'assistant'; turns alternate, and the user starts",
    ),
    (
        "prompt: Hi",
        "messages: [{role: user, content: x}, {role: assistant, content: y}]",
        "5: prompts[0].messages[1].role: the last message must be the user's",
    ),
    (
        "expect: Ho",
        "expect: [Ho]",
        "5: prompts[0].expect: expected text or a number or true or false, got a list",
    ),
    (
        "expect: Ho",
        "checks: []",
        "5: prompts[0].checks: must not be empty",
    ),
    (
        "expect: Ho",
        "checks: [{tipe: exact}]",
        "5: prompts[0].checks[0]: missing key 'type'",
    ),
    (
        "expect: Ho}",
        "expect: Ho}\n  - {id: a, prompt: Hi}",
        "6: prompts[1].id: prompt 'a' appears twice (first: x.yaml:5); rename one",
    ),
    (
        "prompts:\n  - {id: a, prompt: Hi, expect: Ho}",
        "",
        "1: the suite has no prompts; add `prompts`, `dataset` or `synthetic`",
    ),
    (
        "  - {id: a, prompt: Hi, expect: Ho}",
        "  []",
        "1: the suite has no prompts; add `prompts`, `dataset` or `synthetic`",
    ),
    (
        "suite: demo",
        "suite: demo\nsuite: other",
        "2: key 'suite' is already on line 1; drop one",
    ),
    (
        GOOD,
        "- a",
        "1: a suite is a mapping; start with `suite: NAME`",
    ),
    (
        GOOD,
        "",
        "1: the file is empty; `harness init NAME` writes a starter suite",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), BAD, ids=[row[2][:60] for row in BAD])
def test_a_mistake_is_reported_with_its_line_and_path(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert [f"x.yaml:{told}"] == mistakes(tmp_path, GOOD.replace(old, new, 1))


def test_all_mistakes_are_reported_at_once_those_of_structure_and_of_meaning_alike(tmp_path: Path) -> None:
    def no_bedrock_today(suite: Suite) -> Iterable[Mistake]:
        return [Mistake(("targets", 0, "client"), f"{suite.targets[0].client} is out")]

    (tmp_path / "d.csv").write_text("id,prompt\nz,Hi\ny,\n", encoding="utf-8")
    text = """\
        suite: demo
        targets:
          - {model: claude-opus-4-5, routing: [us, apac], temprature: 1}
        slo:
          ttft: 2
        prompts:
          - {id: a, promt: Hi}
          - {id: b, prompt: ' '}
        dataset: d.csv
        """
    assert [
        "x.yaml:3: targets[0].temprature: unknown key 'temprature'; did you mean 'temperature'?",
        "x.yaml:3: targets[0].routing[1]: 'apac' is not offered for claude-opus-4-5 (offered: global, us, eu)",
        "x.yaml:3: targets[0].client: wire is out",
        "x.yaml:5: slo.ttft: '2' has no unit; write 2s",
        "x.yaml:7: prompts[0].promt: unknown key 'promt'; did you mean 'prompt'?",
        "x.yaml:8: prompts[1].prompt: must not be blank",
        "d.csv:3: 'prompt' is missing or empty",
    ] == mistakes(tmp_path, text, validators=[no_bedrock_today])


def test_mistakes_of_meaning_are_reported_beside_broken_parts_wherever_those_leave_no_doubt(tmp_path: Path) -> None:
    text = """\
        suite: demo
        targets:
          - {model: claude-opus-4-5, routing: apac}
          - {model: claude-haiku-4-5, routing: us}
          - {model: claude-haiku-4-5, routing: us}
        baseline: nope
        load:
          repeats: 0
          rate: 5/s
        prompts:
          - {id: a, promt: Hi}
          - {id: a, prompt: Hi}
        dataset: gone.csv
        """
    assert [
        "x.yaml:3: targets[0].routing: 'apac' is not offered for claude-opus-4-5 (offered: global, us, eu)",
        "x.yaml:5: targets[2]: two targets are named 'claude-haiku-4-5/us/converse'; give one a label or drop it",
        "x.yaml:6: baseline: 'nope' is not one of claude-haiku-4-5/us/converse, claude-haiku-4-5/us/converse",
        "x.yaml:8: load.repeats: must be at least 1, got 0",
        "x.yaml:9: load.rate: only arrivals 'constant', 'poisson', 'gamma' and 'ramp' take 'rate', "
        "but this load is 'closed'",
        "x.yaml:11: prompts[0].promt: unknown key 'promt'; did you mean 'prompt'?",
        "x.yaml:12: prompts[1].id: prompt 'a' appears twice (first: x.yaml:11); rename one",
        "x.yaml:13: dataset: gone.csv: there is no such file",
    ] == mistakes(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("prompts:", "load: {arival: constant, rate: 5/s}\nprompts:", "load.arival"),
        ("prompts:", "load: {arrival: clsed, rate: 5/s}\nprompts:", "load.arrival"),
        ("prompts:", "load: {arrival: constant, rate: 5}\nprompts:", "load.rate"),
        ("prompts:", "load: {arrival: constant, rat: 5/s}\nprompts:", "load.rat"),
        ("prompts:", "timeouts: {first_token: 1, total: 10s}\nprompts:", "timeouts.first_token"),
        ("prompts:", "timeouts: {first_tokn: 1s, total: 10s}\nprompts:", "timeouts.first_tokn"),
        ("prompts:", "  - {model: claude-haiku-4-5, region: 5}\nprompts:", "targets[1].region"),
        ("prompts:", "  - {model: claude-haiku-4-5, lable: x}\nbaseline: x\nprompts:", "targets[1].lable"),
        ("prompts:", "  - {model: [claude-haiku-4-5, claude-opus-4-5], label: x}\nprompts:", "targets[1].label"),
        (
            "prompts:",
            "  - {model: claude-haiku-4-6}\nbaseline: claude-haiku-4-5/us/converse\nprompts:",
            "targets[1].model",
        ),
        ("prompts:", "  - {model: claude-haiku-4-6, label: x}\nbaseline: x\nprompts:", "targets[1].model"),
    ],
)
def test_what_fixing_a_mistake_could_resolve_is_not_reported(tmp_path: Path, old: str, new: str, path: str) -> None:
    (told,) = mistakes(tmp_path, GOOD.replace(old, new, 1))
    assert told.split(": ")[1] == path


def test_a_key_given_twice_hides_no_other_mistake(tmp_path: Path) -> None:
    text = GOOD.replace("suite: demo", "suite: demo\nsuite: other\nendpoint: simulatr")
    assert [each.split(":")[1] for each in mistakes(tmp_path, text)] == ["2", "3"]


@pytest.mark.parametrize("beta", [r"x\r\nX-More: 1", "é", "a b"])
def test_a_beta_that_no_header_can_carry_is_a_mistake(tmp_path: Path, beta: str) -> None:
    text = GOOD.replace("routing: global", f'routing: global, api: messages, beta: ["{beta}"]')
    with pytest.raises(SuiteError, match=r"targets\[0\].beta\[0\]: .* contains a character that is not allowed"):
        load(tmp_path, text)


def test_a_model_that_has_ended_is_a_warning(tmp_path: Path) -> None:
    text = GOOD.replace("claude-haiku-4-5, routing: global", "claude-sonnet-4")
    assert any("reached its end of life on 2026-10-14" in each for each in load(tmp_path, text).warnings)


def test_a_validators_mistake_is_reported_where_the_thing_was_written(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("id,prompt,check\nz,Hi,odd\n", encoding="utf-8")
    text = """\
        suite: demo
        targets:
          - {model: claude-haiku-4-5, routing: [global, us]}
          - model: claude-haiku-4-5
            routing: eu
            client: odd
        prompts:
          - id: a
            prompt: Hi
            checks:
              - type: exact
              - type: odd
        dataset: d.csv
        """

    def odd(suite: Suite) -> Iterable[Mistake]:
        for at, target in enumerate(suite.targets):
            if target.client == "odd":
                yield Mistake(("targets", at, "client"), "no such client")
        for at, prompt in enumerate(suite.prompts):
            for number, check in enumerate(prompt.checks):
                if check.type == "odd":
                    yield Mistake(("prompts", at, "checks", number, "type"), "no such check")

    assert [
        "x.yaml:6: targets[1].client: no such client",
        "x.yaml:12: prompts[0].checks[1].type: no such check",
        "d.csv:2: check.type: no such check",
    ] == mistakes(tmp_path, text, validators=[odd])


def test_a_suite_that_is_not_there_or_no_file_is_one_mistake(tmp_path: Path) -> None:
    for path, told in [(tmp_path / "gone.yaml", "there is no such file"), (tmp_path, "is not a file")]:
        with pytest.raises(SuiteError) as caught:
            load_suite(path)
        assert caught.value.mistakes == (f"{path}: {told}",)


def test_a_suite_that_is_not_utf_8_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"suite: demo\nprompts: \xff\n")
    with pytest.raises(SuiteError, match=r"x\.yaml:2: is not UTF-8 \(byte 0xff\); save it as UTF-8"):
        load_suite(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_suite(path).name == "demo"


def test_a_suite_as_large_as_a_dataset_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(SuiteError, match="is larger than 10 MB"):
        load_suite(path)


VALUES = st.sampled_from(
    [
        *(None, True, 0, -1, 1, 1.0, 0.5, 10**18, [], [None], ["x"], ["x", 1], {}, {"x": 1}, {"type": "x"}),
        *("", " ", "x", "x\n", "60s", "60s\n", "60", "0s", "5/s", "3pp", "15%", "us", "aws", "http://x", "\x00"),
        *("us-east-1", "us-east-1\n", "claude-haiku-4-5", ["global", "apac"], "d.csv", "../d.csv"),
    ]
)
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "defaults": Options,
    "load": Load,
    "retries": Retries,
    "quota": Quota,
    "timeouts": Timeouts,
    "slo": Slo,
    "gate": GateEntry,
}


def entries(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, object]]:
    return st.dictionaries(st.sampled_from([*kind.__struct_encode_fields__, "odd"]), VALUES, max_size=4)


FILES = st.fixed_dictionaries(
    {"suite": st.just("demo") | VALUES, "targets": VALUES | st.lists(entries(TargetEntry), max_size=3)},
    optional={
        "endpoint": VALUES,
        "baseline": VALUES,
        "budget_usd": VALUES,
        "dataset": VALUES,
        "prompts": VALUES | st.lists(entries(PromptEntry), max_size=3),
        **{name: VALUES | entries(kind) for name, kind in SECTIONS.items()},
    },
)


@settings(max_examples=300)
@given(FILES)
def test_whatever_stands_in_a_suite_ends_in_a_suite_or_in_mistakes_with_lines(content: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        told: tuple[str, ...] = ()
        try:
            load_suite(path)
        except SuiteError as error:
            told = error.mistakes
        assert all(re.match(rf"{re.escape(folder)}/.+:[1-9][0-9]*: ", each) for each in told)
