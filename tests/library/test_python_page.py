"""docs/python.md: its code works, from top to bottom, against the example run and the embedded Bedrock."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import harness

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
SUITE = """\
suite: quickstart
targets:
  - {model: claude-haiku-4-5, routing: global}
  - {model: claude-haiku-4-5, routing: us, api: invoke}
load: {concurrency: 2}
prompts:
  - {id: france, prompt: Capital of France? One word., expect: Paris, checks: [{type: exact}]}
  - {id: sum, prompt: What is 2 + 3?, expect: "5", checks: [{type: numeric}]}
"""


def test_the_examples_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "suites").mkdir()
    (here / "suites" / "quickstart.yaml").write_text(SUITE)
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "no-such-run: no such run in results" in printed
    assert "SIMULATED: " in printed
    assert (here / "quality_cost.svg").read_bytes().startswith(b"<?xml")
    assert {"complete"} == {harness.open_run(run).manifest.state for run in (here / "results").glob("*/")}


def test_every_public_name_and_member_is_on_the_page() -> None:
    words = set(re.findall(r"\w+", PAGE.read_text(encoding="utf-8")))
    members = {name for name in vars(harness.Run) if not name.startswith("_")}
    assert set() == {*harness.__all__, *members} - words
