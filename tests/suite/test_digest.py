"""A suite's digest follows its content alone: not how the file is laid out, nor where it is loaded."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import msgspec
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from harness.catalog.prices import PriceOverride, Tier
from harness.catalog.target import Options, Target, Tool
from harness.suite.check.load import plan_mistakes
from harness.suite.digest import digest_suite
from harness.suite.generate import SEPARATOR, make_filler
from harness.suite.loader import load_suite
from harness.suite.suite import (
    Attachment,
    Check,
    Filler,
    Load,
    Message,
    Prompt,
    Quota,
    Retries,
    Slo,
    Step,
    Suite,
    Timeouts,
    TracedCall,
)

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
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.dictionaries(WORDS.filter(lambda key: key != "type"), JSON, max_size=2).map(
    lambda more: {"type": "object", **more}
)
TOOLS = st.builds(Tool, name=st.from_regex("[a-z_]{1,9}", fullmatch=True), description=WORDS, input_schema=SCHEMAS)
OPTIONS = st.builds(
    Options,
    max_tokens=st.none() | st.integers(1, 10**6),
    system=st.none() | WORDS,
    temperature=st.none() | st.floats(0, 1),
    stop_sequences=st.none() | st.lists(WORDS, min_size=1, max_size=3),
    thinking=st.none() | st.just("adaptive") | st.integers(1024, 10**6),
    tools=st.none() | st.lists(TOOLS, min_size=1, max_size=2),
    tool_choice=st.none() | WORDS,
    cache=st.sampled_from([None, "5m", "1h"]),
    citations=st.none() | st.booleans(),
    beta=st.none() | st.lists(st.from_regex(r"[a-z0-9-]{1,30}", fullmatch=True), min_size=1, max_size=2),
    service_tier=st.sampled_from([None, "default", "priority", "flex", "reserved"]),
    latency=st.sampled_from([None, "standard", "optimized"]),
)
ATTACHMENTS = st.builds(
    Attachment,
    name=NAMES,
    media_type=st.sampled_from(["application/pdf", "text/csv", "image/png"]),
    digest=st.from_regex("[0-9a-f]{64}", fullmatch=True),
    size=st.integers(0, 10**9),
    pages=st.none() | st.integers(1, 999),
    path=st.none() | st.just(Path("anywhere.pdf")),
)
FILLERS = st.builds(
    Filler, tokens=st.integers(1, 200), seed=st.integers(0, 9), needle=st.none() | WORDS, depth=st.floats(0, 1)
)
RATES = {
    "input": st.floats(0, 99),
    "output": st.floats(0, 99),
    "cache_write_5m": st.none() | st.floats(0, 99),
    "cache_read": st.none() | st.floats(0, 99),
}
TIERS = st.lists(st.builds(Tier, above_input_tokens=st.integers(0, 10**6), **RATES), max_size=2).map(tuple)
PRICES = st.builds(PriceOverride, model=NAMES, routing=st.none() | NAMES, tiers=TIERS, **RATES)
CHECKS = st.builds(Check, type=NAMES, params=st.dictionaries(WORDS.filter(lambda key: key != "type"), JSON, max_size=3))
TURNS = st.lists(WORDS, min_size=1, max_size=5).filter(lambda turns: len(turns) % 2 == 1)


def messages(turns: list[str]) -> tuple[Message, ...]:
    return tuple(Message(role="user" if n % 2 == 0 else "assistant", content=text) for n, text in enumerate(turns))


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    expect = draw(st.none() | WORDS)
    checks = draw(st.lists(CHECKS, max_size=2))
    turns = draw(TURNS)
    filler = draw(st.none() | FILLERS) if len(turns) == 1 else None
    if filler:
        turns = [make_filler(filler) + SEPARATOR + turns[0]]
    return Prompt(
        id=draw(NAMES),
        messages=messages(turns),
        filler=filler,
        documents=tuple(draw(st.lists(ATTACHMENTS, max_size=2, unique_by=lambda file: file.name))),
        images=tuple(draw(st.lists(ATTACHMENTS, max_size=2, unique_by=lambda file: file.name))),
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
    api=st.sampled_from(["invoke", "converse", "messages", "mantle", "openai"]),
    client=NAMES,
    region=st.sampled_from(["us-east-1", "us-gov-west-1"]),
    stream=st.booleans(),
    options=OPTIONS,
)
REPEATS = {"repeats": st.none() | st.integers(1, 9), "warmup": st.integers(0, 9), "duration_s": st.none() | SECONDS}
GATE = {"pass_rate": "3pp", "ttft_p95": "15%", "tpot_p50": "5ms", "throttle_rate": "1pp", "cost_per_request": "$0.002"}
RATE = st.floats(min_value=1e-3, max_value=100)
MINUTES = st.floats(min_value=1e-3, max_value=1e3)
OPEN = {
    "warmup": st.integers(0, 9),
    "requests": st.none() | st.integers(1, 10**6),
    "max_in_flight": st.none() | st.integers(1, 10**5),
    "store_text": st.sampled_from([None, 0.0, 0.25]),
    "burst": st.none() | st.integers(1, 99),
}
CAP = st.floats(1, 1e9)
SPACED = {**OPEN, "burstiness": st.none() | st.floats(0.01, 100)}
STEPS = st.lists(st.builds(Step, rate_per_s=RATE, duration_s=MINUTES), min_size=1, max_size=3).map(tuple)
LOADS = st.one_of(
    st.builds(Load, concurrency=st.integers(1, 99), paired=st.booleans(), **REPEATS),
    st.builds(Load, arrival=st.sampled_from(["constant", "poisson"]), rate_per_s=RATE, duration_s=MINUTES, **OPEN),
    st.builds(Load, arrival=st.just("gamma"), rate_per_s=RATE, duration_s=MINUTES, **SPACED | {"burstiness": RATE}),
    st.builds(Load, arrival=st.just("ramp"), rate_per_s=RATE, to_per_s=RATE, duration_s=MINUTES, **SPACED),
    st.builds(Load, arrival=st.just("steps"), steps=STEPS, **SPACED),
)
TIMES = st.lists(st.floats(0, 1e6), min_size=1, max_size=5).map(sorted)


def traces(ids: list[str]) -> st.SearchStrategy[Load]:
    calls = st.builds(
        lambda times, asked: tuple(map(TracedCall, times, asked)),
        TIMES,
        st.lists(st.none() | st.sampled_from(ids), min_size=5, max_size=5),
    )
    return st.builds(Load, arrival=st.just("trace"), calls=calls, speed=st.none() | st.floats(0.01, 100))


def own_rates(names: list[str]) -> st.SearchStrategy[Load]:
    rates = st.dictionaries(st.sampled_from(names), RATE, min_size=1)
    return st.builds(Load, arrival=st.just("constant"), rate_per_s=RATE, rates_per_s=rates)


@st.composite
def suites(draw: st.DrawFn) -> Suite:
    targets = draw(st.lists(TARGETS, min_size=1, max_size=3, unique_by=lambda target: target.name))
    first_token_s, total_s = sorted(draw(st.tuples(SECONDS, SECONDS)))
    asked = draw(st.lists(prompts(), min_size=1, max_size=3, unique_by=lambda prompt: prompt.id))
    load = draw(LOADS | traces([prompt.id for prompt in asked]) | own_rates([target.name for target in targets]))
    assume(not any(plan_mistakes(load, prompts=len(asked), targets=[target.name for target in targets])))
    suite = Suite(
        name="demo",
        digest="",
        endpoint=draw(st.sampled_from(["simulator", "aws", "http://127.0.0.1:9000"])),
        targets=tuple(targets),
        prompts=tuple(asked),
        baseline=draw(st.none() | st.sampled_from([target.name for target in targets])),
        load=load,
        retries=Retries(max_attempts=draw(st.integers(1, 20)), on=("throttled",), base_s=draw(SECONDS)),
        quota=Quota(requests_per_minute=draw(st.none() | CAP), tokens_per_minute=draw(st.none() | CAP)),
        timeouts=Timeouts(connect_s=draw(SECONDS), first_token_s=first_token_s, total_s=total_s),
        slo=Slo(ttft_s=draw(st.none() | SECONDS), e2e_s=draw(st.none() | SECONDS)),
        gate=draw(st.sampled_from([{}, GATE])),
        budget_usd=draw(st.none() | SECONDS),
        prices=tuple(draw(st.lists(PRICES, max_size=2))),
    )
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def loaded(text: str) -> Suite:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "suite.yaml"
        path.write_text(text, encoding="utf-8")
        return load_suite(path)


def without_paths(suite: Suite) -> Suite:
    """A frozen suite holds digests, not files."""

    def bare(files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        return tuple(msgspec.structs.replace(file, path=None) for file in files)

    prompts = tuple(
        msgspec.structs.replace(prompt, documents=bare(prompt.documents), images=bare(prompt.images))
        for prompt in suite.prompts
    )
    check_files = tuple(msgspec.structs.replace(file, source=None) for file in suite.graders.check_files)
    graders = msgspec.structs.replace(suite.graders, check_files=check_files)
    return msgspec.structs.replace(suite, prompts=prompts, graders=graders)


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
        ("model: claude-haiku-4-5", "api: converse, client: wire, model: claude-haiku-4-5"),
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
        ("routing: global", "routing: global, citations: false"),
        ("routing: global", "routing: global, cache: 5m"),
        ("prompt: Hi, expect: Ho", "prompt: Hi, filler: {tokens: 9}, expect: Ho"),
        ("load:", "prices: [{model: claude-haiku-4-5, input: 1, output: 5}]\nload:"),
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


@pytest.mark.parametrize(("name", "digest"), [("quickstart", "7984838d1657"), ("global-vs-regional", "8c40beb7b603")])
def test_a_key_that_the_grammar_gains_changes_no_older_suites_digest(name: str, digest: str) -> None:
    assert digest == load_suite(SHIPPED[0].with_name(f"{name}.yaml")).digest


def test_a_document_counts_by_its_name_and_bytes_not_by_where_it_lies(tmp_path: Path) -> None:
    text = PLAIN.replace("prompt: Hi, expect: Ho", "prompt: Hi, documents: [a.txt], expect: Ho")
    for folder, content in (("one", "x"), ("two", "x"), ("three", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.yaml").write_text(text, encoding="utf-8")
        (tmp_path / folder / "a.txt").write_text(content, encoding="utf-8")
    one, two, three = (load_suite(tmp_path / folder / "s.yaml").digest for folder in ("one", "two", "three"))
    assert one == two
    assert one != three
    assert one != loaded(PLAIN).digest


@pytest.mark.parametrize("home_region", ["eu-west-1", "us-west-2"])
def test_the_region_that_a_shell_prefers_changes_no_digest(tmp_path: Path, home_region: str) -> None:
    (tmp_path / "s.yaml").write_text(PLAIN + "judges: {strict: {model: claude-opus-4-5}}\n", encoding="utf-8")
    suite = load_suite(tmp_path / "s.yaml")
    at_home = load_suite(tmp_path / "s.yaml", home_region=home_region)
    assert ("us-east-1", home_region) == (suite.targets[0].region, at_home.targets[0].region)
    assert home_region == at_home.graders.judges[0].target.region
    assert suite.digest == at_home.digest == digest_suite(at_home)


def test_a_region_that_the_suite_names_is_part_of_its_digest() -> None:
    assert loaded(PLAIN).digest != loaded(PLAIN.replace("routing: global", "routing: global, region: eu-west-1")).digest
