"""Frozen suites load again as what they were, and digests follow the content alone."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.target import Options, Target
from harness.suite.digest import digest_suite
from harness.suite.freeze import freeze_suite
from harness.suite.loader import load_suite
from harness.suite.schema import Check, Load, Message, Prompt, Quota, Retries, Slo, Suite, Timeouts

SHIPPED = sorted((Path(__file__).parents[2] / "suites").glob("*.yaml"))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)
TRICKY = st.sampled_from(
    [
        *(
            "yes",
            "no",
            "null",
            "~",
            "1e3",
            "042",
            "2024-01-01",
            "10:30",
            "=",
            "<<",
            "- a",
            "a: b",
            "#x",
            "*a",
            "&a",
            "!x",
        ),
        *(" x ", "\n x\n\n", "x\n", "x\r\ny", "a\tb\n\tc", "0\x85", "x\u2028", "\ufeffx", "\\", "\x00", *"'\"|%@`{?"),
    ]
)
WORDS = (TEXT | TRICKY).filter(str.strip)
NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20).filter(str.strip)
SECONDS = st.floats(min_value=1e-6, max_value=1e6)
OPTIONS = st.builds(
    Options,
    max_tokens=st.none() | st.integers(1, 10**6),
    system=st.none() | WORDS,
    temperature=st.none() | st.floats(0, 1),
    stop_sequences=st.none() | st.lists(WORDS, min_size=1, max_size=3),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
CHECKS = st.builds(Check, type=NAMES, params=st.dictionaries(WORDS.filter(lambda key: key != "type"), JSON, max_size=3))
TURNS = st.lists(WORDS, min_size=1, max_size=5).filter(lambda turns: len(turns) % 2 == 1)


def messages(turns: list[str]) -> tuple[Message, ...]:
    return tuple(Message(role="user" if n % 2 == 0 else "assistant", content=text) for n, text in enumerate(turns))


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    expect = draw(st.none() | WORDS)
    checks = draw(st.lists(CHECKS, max_size=2))
    return Prompt(
        id=draw(NAMES),
        messages=messages(draw(TURNS)),
        expect=expect,
        checks=tuple(checks) or ((Check(type="exact"),) if expect is not None else ()),
        tags=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
        group=draw(st.none() | NAMES),
        options=draw(OPTIONS),
    )


TARGETS = st.builds(
    Target,
    name=NAMES,
    model=NAMES,
    base_model=NAMES,
    model_id=NAMES,
    routing=NAMES,
    api=st.sampled_from(["invoke", "converse"]),
    client=NAMES,
    region=st.sampled_from(["us-east-1", "us-gov-west-1"]),
    stream=st.booleans(),
    options=OPTIONS,
)
REPEATS = {"repeats": st.none() | st.integers(1, 9), "warmup": st.integers(0, 9), "duration_s": st.none() | SECONDS}
LOADS = st.builds(Load, concurrency=st.integers(1, 99), paired=st.booleans(), **REPEATS) | st.builds(
    Load, arrival=st.just("constant"), rate_per_s=SECONDS, **REPEATS
)


@st.composite
def suites(draw: st.DrawFn) -> Suite:
    targets = draw(st.lists(TARGETS, min_size=1, max_size=3, unique_by=lambda target: target.name))
    first_token_s, total_s = sorted(draw(st.tuples(SECONDS, SECONDS)))
    suite = Suite(
        name="demo",
        digest="",
        endpoint=draw(st.sampled_from(["simulator", "aws", "http://127.0.0.1:9000"])),
        targets=tuple(targets),
        prompts=tuple(draw(st.lists(prompts(), min_size=1, max_size=3, unique_by=lambda prompt: prompt.id))),
        baseline=draw(st.none() | st.sampled_from([target.name for target in targets])),
        load=draw(LOADS),
        retries=Retries(max_attempts=draw(st.integers(1, 20)), on=("throttled",), base_s=draw(SECONDS)),
        quota=Quota(requests_per_minute=draw(st.none() | SECONDS)),
        timeouts=Timeouts(connect_s=draw(SECONDS), first_token_s=first_token_s, total_s=total_s),
        slo=Slo(ttft_s=draw(st.none() | SECONDS), e2e_s=draw(st.none() | SECONDS)),
        gate=draw(st.sampled_from([{}, {"pass_rate": "3pp", "ttft_p95": "15%"}])),
        budget_usd=draw(st.none() | SECONDS),
    )
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def loaded(text: str) -> Suite:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "suite.yaml"
        path.write_text(text, encoding="utf-8")
        return load_suite(path)


def without_remarks(suite: Suite) -> Suite:
    return msgspec.structs.replace(suite, notes=(), warnings=())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(suites())
def test_a_frozen_suite_loads_as_the_suite_that_it_was(suite: Suite) -> None:
    assert suite == without_remarks(loaded(freeze_suite(suite)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_suite_survives_freezing_with_its_notes(path: Path) -> None:
    suite = load_suite(path)
    assert msgspec.structs.replace(suite, warnings=()) == loaded(freeze_suite(suite))


def test_a_frozen_suite_asks_the_catalog_nothing() -> None:
    suite = load_suite(SHIPPED[0])
    gone = msgspec.structs.replace(suite.targets[0], model="claude-gone", base_model="x.gone", model_id="us.x.gone")
    suite = msgspec.structs.replace(suite, targets=(gone,), baseline=None)
    assert loaded(freeze_suite(suite)).targets == (gone,)


PLAIN = """\
suite: demo
endpoint: simulator
targets:
  - {model: claude-haiku-4-5, routing: global}
load: {repeats: 2, duration: 60s}
gate: {pass_rate: 3pp, error_rate: 1pp}
prompts:
  - {id: a, prompt: Hi, expect: Ho, tags: [x, y]}
  - {id: b, prompt: Hi, expect: 5, checks: [{type: numeric, tolerance: 0.5}]}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("suite: demo\n", "# a comment\n\nsuite: 'demo'\n"),
        ("endpoint: simulator", "endpoint: aws"),
        ("60s", "1m"),
        ("3pp, error_rate: 1pp", "3.0pp, error_rate: 1pp"),
        ("{pass_rate: 3pp, error_rate: 1pp}", "{error_rate: 1pp, pass_rate: 3pp}"),
        ("[x, y]", "[y, x]"),
        ("tolerance: 0.5", "tolerance: 0.50"),
        ("expect: Ho", "expect: Ho, checks: [{type: exact}]"),
        ("model: claude-haiku-4-5", "model: anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("model: claude-haiku-4-5", "api: converse, client: aioboto3, model: claude-haiku-4-5"),
    ],
)
def test_the_digest_stays_while_the_content_does(old: str, new: str) -> None:
    assert loaded(PLAIN).digest == loaded(PLAIN.replace(old, new)).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("suite: demo", "suite: other"),
        ("routing: global", "routing: us"),
        ("routing: global", "routing: global, max_tokens: 5"),
        ("repeats: 2", "repeats: 3"),
        ("3pp", "4pp"),
        ("id: a, prompt: Hi", "id: a, prompt: Hi!"),
        ("expect: Ho", "expect: ho"),
        ("tolerance: 0.5", "tolerance: 0.6"),
        ("[x, y]", "[x]"),
        ("[x, y]", "[x, y], group: g"),
    ],
)
def test_the_digest_changes_with_the_content(old: str, new: str) -> None:
    assert loaded(PLAIN).digest != loaded(PLAIN.replace(old, new)).digest


def test_prompts_in_a_dataset_count_like_those_in_the_file(tmp_path: Path) -> None:
    head = dedent("suite: demo\ntargets: [{model: claude-haiku-4-5}]\n")
    (tmp_path / "a.yaml").write_text(head + "prompts: [{id: a, prompt: Hi, expect: 5}]\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(head + "dataset: d.csv\n", encoding="utf-8")
    (tmp_path / "d.csv").write_text("id,prompt,expect\na,Hi,5\n", encoding="utf-8")
    assert load_suite(tmp_path / "a.yaml").digest == load_suite(tmp_path / "b.yaml").digest


def test_a_digest_is_twelve_hex_digits() -> None:
    digest = loaded(PLAIN).digest
    assert len(digest) == 12
    assert int(digest, 16) >= 0
