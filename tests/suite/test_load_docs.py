"""Every load that docs/load.md shows can be written so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.suite.loader import load_suite

TEXT = (Path(__file__).parents[2] / "docs" / "load.md").read_text(encoding="utf-8")
HEAD = """\
suite: x
targets: [{model: claude-haiku-4-5, routing: [global, us]}]
prompts: [{id: capital-fr, prompt: "Capital of France?"}]
"""
LOADS = [f"load: {written}" for written in re.findall(r"`(\{arrival: .*?\})`", TEXT)]
LOADS += [written for written in re.findall(r"`((?:load|quota|retries): \{.*?\})`", TEXT) if "trace" not in written]
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
TRACE = "".join(re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL))


@pytest.mark.parametrize("written", LOADS + BLOCKS)
def test_an_example_loads(tmp_path: Path, written: str) -> None:
    whole = written.replace("{max_in_flight:", "{arrival: constant, rate: 5/s, max_in_flight:")
    (tmp_path / "mine.trace.jsonl").write_text(TRACE, encoding="utf-8")
    (tmp_path / "x.yaml").write_text(HEAD + whole, encoding="utf-8")
    assert 2 == len(load_suite(tmp_path / "x.yaml").targets)


def test_every_arrival_process_is_shown() -> None:
    shown = set(re.findall(r"arrival: (\w+)", TEXT))
    assert {"closed", "constant", "poisson", "gamma", "ramp", "steps", "trace"} == shown
