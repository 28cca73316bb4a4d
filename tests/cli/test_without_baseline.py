"""`--target` without the baseline, or with it alone: pairwise checks have nothing to compare, and the run says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Bedrock, Harness

BASELINE, CANDIDATE = "claude-haiku-4-5/global/converse", "claude-haiku-4-5/us/converse"
SUITE = f"""\
suite: pairs
defaults: {{max_tokens: 8}}
targets: [{{model: claude-haiku-4-5, routing: [global, us]}}]
baseline: {BASELINE}
judges: {{strict: {{model: claude-opus-4-5, routing: us}}}}
prompts:
  - {{id: p, prompt: Capital of France?, expect: Paris, checks: [{{type: pairwise, judge: strict}}]}}
"""


def lost_pairs(summary: dict[str, Any]) -> list[str]:
    return [each["what"] for each in summary["findings"] if "pairwise" in each["what"]]


@pytest.mark.parametrize(
    ("target", "needed", "lacks"),
    [
        (CANDIDATE, f"the baseline: --target {BASELINE}", "is without the baseline"),
        (BASELINE, "another target", "has no other target than the baseline"),
    ],
)
def test_pairs_that_cannot_be_compared_are_told_before_the_run_in_it_and_after_it(
    tmp_path: Path, harness: Harness, bedrock: Bedrock, target: str, needed: str, lacks: str
) -> None:
    (tmp_path / "pairs.yaml").write_text(SUITE)
    line = ("run", "pairs.yaml", "--endpoint", bedrock.url, "--target", target, "--quiet", "--json")
    warning = f"warning: pairwise checks have nothing to compare without {needed}; there will be no win rates\n"
    assert warning == harness(*line, "--dry-run").stderr
    sent = harness(*line)
    assert warning == sent.stderr
    finding = f"the pairwise checks of 1 prompt compared nothing: the run {lacks}"
    assert [finding] == lost_pairs(json.loads(sent.stdout))
    assert [finding] == lost_pairs(json.loads(harness("report", "--judge", "--json").stdout))


def test_with_the_baseline_there_is_nothing_to_say(tmp_path: Path, harness: Harness, bedrock: Bedrock) -> None:
    (tmp_path / "pairs.yaml").write_text(SUITE)
    line = ("run", "pairs.yaml", "--endpoint", bedrock.url, "--target", BASELINE, "--target", CANDIDATE)
    sent = harness(*line, "--quiet", "--json")
    assert ("", []) == (sent.stderr, lost_pairs(json.loads(sent.stdout)))
