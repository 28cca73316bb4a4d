"""What would be refused once sent: found on loading, with the line of the key that is to blame."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog.target import Options, Tool
from harness.errors import SuiteError
from harness.suite.check.size import limit_mistakes, page_mistakes, prompt_tokens
from harness.suite.grammar.mistakes import Mistake
from harness.suite.loader import load_suite
from harness.suite.suite import Attachment, Message, Prompt, Suite

GOOD = """\
suite: demo
defaults:
  max_tokens: 3000
targets:
  - model: claude-haiku-4-5
    routing: global
    api: invoke
prompts:
  - id: a
    prompt: Hi
    expect: Ho
"""
TOOL = "{name: look, input_schema: {type: object}}"


def load(tmp_path: Path, text: str) -> Suite:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, text)
    return [told.replace(f"{tmp_path}/", "") for told in caught.value.mistakes]


def document(pages: int | None = 1, size: int = 1000, name: str = "a.pdf") -> Attachment:
    return Attachment(name=name, media_type="application/pdf", digest="0" * 64, size=size, pages=pages)


def asked(*, documents: int = 0, images: int = 0, size: int = 1000, pages: int = 1, text: str = "Hi") -> Prompt:
    return Prompt(
        id="a",
        messages=(Message(role="user", content=text),),
        documents=tuple(document(pages, size) for _ in range(documents)),
        images=tuple(document(None, size) for _ in range(images)),
    )


def test_every_option_can_stand_on_defaults_target_and_prompt_and_the_last_one_wins(tmp_path: Path) -> None:
    text = (
        GOOD.replace("max_tokens: 3000", f"{{max_tokens: 3000, cache: 5m, citations: true, tools: [{TOOL}]}}")
        .replace("defaults:\n  {", "defaults: {")
        .replace("api: invoke", "api: invoke\n    cache: 1h\n    thinking: 2000\n    beta: [x]")
        .replace("prompt: Hi", "prompt: Hi\n    tool_choice: auto\n    thinking: 1500\n    service_tier: default")
    )
    suite = load(tmp_path, text)
    look = Tool(name="look", input_schema={"type": "object"})
    assert suite.targets[0].options == Options(
        max_tokens=3000, cache="1h", citations=True, tools=[look], thinking=2000, beta=["x"]
    )
    assert suite.prompts[0].options == Options(tool_choice="auto", thinking=1500, service_tier="default")


# What replaces what in GOOD → the one mistake, without the file's name.
BAD = [
    ("thinking: 1000", "api", "8: targets[0].thinking: must be at least 1,024, got 1000"),
    ("thinking: deep", "api", "8: targets[0].thinking: 'deep' is not one of adaptive"),
    ("cache: 1d", "api", "8: targets[0].cache: '1d' is not one of 1h, 5m"),
    ("latency: fast", "api", "8: targets[0].latency: 'fast' is not one of optimized, standard"),
    ("tools: []", "api", "8: targets[0].tools: must not be empty"),
    (
        "tools: [{name: a b, input_schema: {type: object}}]",
        "api",
        "8: targets[0].tools[0].name: 'a b' contains a character that is not allowed; write for example get_weather",
    ),
    ("tools: [{name: a}]", "api", "8: targets[0].tools[0]: missing key 'input_schema'"),
    ("tools: [{name: a, input_schema: {}}]", "api", "8: targets[0].tools[0].input_schema: missing key 'type'"),
    (f"tools: [{TOOL}, {TOOL}]", "api", "8: targets[0].tools: two tools are named 'look'; rename one"),
    ("tool_choice: any", "api", "8: targets[0].tool_choice: there are no tools to choose from; add `tools`"),
    (
        f"tools: [{TOOL}]\n    tool_choice: loook",
        "api",
        "9: targets[0].tool_choice: 'loook' is not one of auto, any, none, look",
    ),
    ("documents: []", "prompt", "11: prompts[0].documents: must not be empty"),
    (
        "documents: [7]",
        "prompt",
        "11: prompts[0].documents[0]: expected text, got the number 7",
    ),
    ("documents: [gone.pdf]", "prompt", "11: prompts[0].documents[0]: 'gone.pdf': there is no such file"),
    (
        "documents: [../a.pdf]",
        "prompt",
        "11: prompts[0].documents[0]: '../a.pdf': is outside the suite's folder; copy the file there",
    ),
    ("documents: [a.txt, a.txt]", "prompt", "11: prompts[0].documents[1]: is listed twice; drop one"),
    (
        "images: [a.txt]",
        "prompt",
        "11: prompts[0].images[0]: 'a.txt': is not an image that Claude reads (.png, .jpg, .jpeg, .gif, .webp)",
    ),
    ("filler: {tokens: 0}", "prompt", "11: prompts[0].filler.tokens: must be at least 1, got 0"),
    ("filler: {tokens: 9, depth: 2}", "prompt", "11: prompts[0].filler.depth: must be at most 1, got 2"),
    (
        "filler: {tokens: 250000}",
        "prompt",
        "9: prompts[0]: has about 250,001 tokens, but the context window of claude-haiku-4-5 holds 200,000; shorten it,"
        " or use a model with a larger one",
    ),
    (
        "temperature: 0.5\n    top_p: 0.5",
        "prompt",
        "12: prompts[0].top_p: claude-haiku-4-5 takes temperature or top_p, not both; drop one of them",
    ),
]


@pytest.mark.parametrize(("written", "after", "told"), BAD, ids=[row[2][:60] for row in BAD])
def test_a_mistake_is_reported_with_its_line_and_path(tmp_path: Path, written: str, after: str, told: str) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    line = {"api": "    api: invoke\n", "prompt": "    prompt: Hi\n"}[after]
    assert [f"x.yaml:{told}"] == mistakes(tmp_path, GOOD.replace(line, f"{line}    {written}\n"))


def test_generated_text_stands_before_one_question_only(tmp_path: Path) -> None:
    text = GOOD.replace("prompt: Hi", "messages: [{role: user, content: Hi}]\n    filler: {tokens: 9}")
    told = "prompts[0].filler: works with `prompt` only, not with `messages`"
    assert [f"x.yaml:11: {told}"] == mistakes(tmp_path, text)


def test_what_a_model_refuses_is_reported_where_it_was_written(tmp_path: Path) -> None:
    text = (
        GOOD.replace("claude-haiku-4-5", "[claude-haiku-4-5, claude-opus-4-8]")
        .replace("max_tokens: 3000", "max_tokens: 3000\n  temperature: 0")
        .replace("prompt: Hi", "prompt: Hi\n    top_k: 5")
    )
    advice = "as does every model from 4.7 on; leave it out"
    assert [
        f"x.yaml:4: defaults.temperature: claude-opus-4-8 refuses temperature, {advice}",
        f"x.yaml:12: prompts[0].top_k: claude-opus-4-8 refuses top_k, {advice}",
    ] == mistakes(tmp_path, text)


def test_a_prompt_may_fix_what_its_target_alone_would_get_wrong(tmp_path: Path) -> None:
    text = GOOD.replace("max_tokens: 3000", "thinking: 4000").replace("prompt: Hi", "prompt: Hi\n    max_tokens: 9000")
    assert load(tmp_path, text).prompts[0].options.max_tokens == 9000
    told = "a thinking budget counts towards max_tokens; set max_tokens to more than 4000"
    assert [f"x.yaml:3: defaults.thinking: {told}"] == mistakes(tmp_path, text.replace("    max_tokens: 9000\n", ""))


def test_a_prompt_that_only_the_beta_window_holds_is_reported_of_the_beta(tmp_path: Path) -> None:
    text = GOOD.replace("haiku-4-5", "sonnet-4-5").replace("prompt: Hi", "prompt: Hi\n    filler: {tokens: 300000}")
    (told,) = mistakes(tmp_path, text)
    assert told.endswith("holds 200,000; set beta: [context-1m-2025-08-07]")
    assert load(tmp_path, text.replace("api: invoke", "api: invoke\n    beta: [context-1m-2025-08-07]"))


def test_converse_has_no_tool_choice_none(tmp_path: Path) -> None:
    chosen = f"    tools: [{TOOL}]\n    tool_choice: none\n"
    text = GOOD.replace("    api: invoke\n", f"    api: [converse, invoke]\n{chosen}")
    told = "targets[0].tool_choice: Converse has no 'none'; leave the tools out, or use api invoke"
    assert [f"x.yaml:9: {told}"] == mistakes(tmp_path, text)


def test_mantle_is_an_api_of_the_matrix(tmp_path: Path) -> None:
    text = GOOD.replace("    routing: global\n", "").replace(
        "api: invoke", "api: [invoke, mantle]\n    client: anthropic"
    )
    suite = load(tmp_path, text)
    assert [("invoke", "anthropic"), ("mantle", "anthropic")] == [(each.api, each.client) for each in suite.targets]


@pytest.mark.parametrize(
    ("api", "prompt", "told"),
    [
        ("converse", asked(documents=5, size=4_500_000), []),
        ("converse", asked(images=20, size=3_750_000), []),
        (
            "converse",
            asked(documents=6),
            [Mistake(("documents",), "there are 6, but Converse takes 5; send fewer, or use api invoke")],
        ),
        (
            "converse",
            asked(images=21),
            [Mistake(("images",), "there are 21, but Converse takes 20; send fewer, or use api invoke")],
        ),
        (
            "converse",
            asked(documents=1, size=4_500_001),
            [
                Mistake(
                    ("documents", 0),
                    "'a.pdf' has 4.500001 MB, but Converse takes 4.5 MB; make it smaller, or use api invoke",
                )
            ],
        ),
        ("invoke", asked(documents=1, size=18_749_997), []),
        (
            "invoke",
            asked(documents=2, size=9_500_000),
            [
                Mistake(
                    ("documents",),
                    "the body would have about 25.4 MB, but invoke takes 25 MB; send less, or smaller files",
                )
            ],
        ),
        ("mantle", asked(documents=9, size=1_000_000), []),
        ("invoke", asked(images=30), []),
    ],
)
def test_each_api_has_limits_of_its_own(api: str, prompt: Prompt, told: list[Mistake]) -> None:
    assert told == list(limit_mistakes(prompt, api))


def test_a_small_window_takes_a_hundred_pages_in_all_and_a_large_one_six_hundred() -> None:
    assert list(page_mistakes(asked(documents=2, pages=50), "invoke", 200_000)) == []
    assert list(page_mistakes(asked(documents=2, pages=51), "converse", 200_000)) == []
    assert list(page_mistakes(asked(documents=2, pages=51), "mantle", 1_000_000)) == []
    told = "have 102 pages, but a model with a context window of 200,000 tokens takes 100; send fewer pages"
    assert [Mistake(("documents",), told)] == list(page_mistakes(asked(documents=2, pages=51), "invoke", 200_000))


def test_what_a_prompt_is_in_tokens_depends_on_whether_its_pages_are_seen() -> None:
    pages = asked(documents=1, pages=3, text="x" * 40)
    cited = Options(citations=True, system="x" * 4)
    assert 10 + 990 == prompt_tokens(pages, Options(), "converse")
    assert 11 + 6900 == prompt_tokens(pages, cited, "converse")
    assert 10 + 6900 == prompt_tokens(pages, Options(), "invoke")
    assert 1 + 1600 == prompt_tokens(asked(images=1), Options(), "invoke")


def test_a_pdf_over_converse_without_citations_is_a_warning(tmp_path: Path) -> None:
    pdf = Path(__file__).parents[3] / "suites" / "pdf" / "quarterly.pdf"
    (tmp_path / "invoice-7.pdf").write_bytes(pdf.read_bytes())
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    text = GOOD.replace("api: invoke", "api: converse").replace(
        "prompt: Hi", "prompt: Hi\n    documents: [invoice-7.pdf, notes.txt]"
    )
    assert load(tmp_path, text).warnings == (
        "Converse without citations reads only the text of invoice-7.pdf; set citations: true, or use api invoke, "
        "if the model must see charts and layout",
    )
    assert load(tmp_path, text.replace("prompt: Hi", "prompt: Hi\n    citations: true")).warnings == ()
    assert load(tmp_path, text.replace("api: converse", "api: invoke")).warnings == ()


def test_a_price_file_beside_the_suite_is_read(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[[prices]]\nmodel = "claude-haiku-4-5"\ninput = 0.9\noutput = 4.5\n')
    (price,) = load(tmp_path, GOOD + "prices: my.toml\n").prices
    assert ("claude-haiku-4-5", None, 0.9, 4.5) == (price.model, price.routing, price.input, price.output)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("gone.toml", "'gone.toml': there is no such file"),
        ("../my.toml", "'../my.toml': is outside the suite's folder; copy the file there"),
    ],
)
def test_a_price_file_that_cannot_be_used_is_a_mistake(tmp_path: Path, written: str, told: str) -> None:
    assert [f"x.yaml:12: prices: {told}"] == mistakes(tmp_path, GOOD + f"prices: {written}\n")


def test_each_mistake_in_a_price_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[[prices]]\nmodel = "claude-haiku-4-5"\ninput = -1\n')
    told = mistakes(tmp_path, GOOD + "prices: my.toml\n")
    assert ["x.yaml:12: prices: my.toml:3: prices[0].input", "x.yaml:12: prices: my.toml:1: prices[0].output"] == [
        each.rpartition(":")[0] for each in told
    ]
