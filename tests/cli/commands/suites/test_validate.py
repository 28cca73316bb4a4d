"""`harness validate`: what a valid suite would do, and every mistake in a bad one."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from harness.cli.commands.suites.validate import validate
from harness.errors import SuiteError

QUICKSTART = Path(__file__).parents[4] / "suites" / "quickstart.yaml"
BAD = """\
suite: demo
targets: [{model: claude-haiku-4-5, client: anthropic, api: converse}]
prompts:
  - {id: a, prompt: Hi, checks: [{type: numeric, tolerence: 1}]}
  - {id: b, prompt: Hi, load: 60}
"""


def run(*arguments: str):
    app = typer.Typer()
    app.command()(validate)
    return CliRunner().invoke(app, arguments)


def test_a_good_suite_is_outlined() -> None:
    result = run(str(QUICKSTART))
    assert result.exit_code == 0
    for said in [
        "claude-sonnet-4-6/us/converse",
        "baseline  claude-haiku-4-5/global/converse",
        "prompts   40 (8 arithmetic, 8 extraction, 8 dates, 8 classification, 8 facts)",
        "load      closed, 5 slots, paired, each prompt 1 ×, warm-up of 2",
        "requests  168 (8 warmup, 160 measure)",
        "note: default check 'exact' for 12 prompts",
    ]:
        assert said in result.stdout


def test_json_holds_the_same(tmp_path: Path) -> None:
    outline = json.loads(run(str(QUICKSTART), "--json").stdout)
    assert (40, 4, {"warmup": 8, "measure": 160}) == (
        outline["prompts"],
        len(outline["targets"]),
        outline["requests"],
    )


def test_mistakes_from_every_validator_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(BAD, encoding="utf-8")
    result = run(str(path))
    assert isinstance(result.exception, SuiteError)
    mistakes = [each.removeprefix(f"{path}:") for each in result.exception.mistakes]
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in mistakes] == [
        "2: targets[0].api",
        "4: prompts[0].checks[0].tolerence",
        "4: prompts[0].checks[0]",
        "5: prompts[1].load",
    ]


def test_mistakes_as_json_end_with_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(BAD, encoding="utf-8")
    result = run(str(path), "--json")
    assert result.exit_code == 2
    assert len(json.loads(result.stdout)["mistakes"]) == 4


def test_documents_own_prices_and_the_longest_prompt_are_outlined(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x" * 4000, encoding="utf-8")
    path = tmp_path / "x.yaml"
    path.write_text(
        "suite: demo\ntargets: [{model: claude-haiku-4-5}]\n"
        "prices: [{model: claude-haiku-4-5, routing: us, input: 1, output: 5}]\n"
        "prompts: [{id: a, prompt: Hi, expect: Ho, documents: [a.txt]}]\n",
        encoding="utf-8",
    )
    said = run(str(path)).stdout
    assert "files     a.txt (4 kB)" in said
    assert "price     claude-haiku-4-5/us: 1 in, 5 out, USD per million tokens (yours)" in said
    assert "longest   about 1,0" in said
