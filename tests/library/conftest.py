"""A stored run, and a suite that the embedded Bedrock answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "results" / "example"
SUITE = """\
suite: tiny
targets: [{model: [claude-haiku-4-5, claude-sonnet-4-6], routing: us, api: converse}]
baseline: claude-haiku-4-5/us/converse
load: {concurrency: 2}
prompts:
  - {id: france, prompt: Capital of France? One word., expect: Paris, checks: [{type: exact}]}
  - {id: sum, prompt: What is 2 + 3?, expect: "5", checks: [{type: numeric}]}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the example run in results/ and a suite, `tiny.yaml`."""
    shutil.copytree(EXAMPLE, tmp_path / "results" / "20260101T000000Z-example-abcdef")
    (tmp_path / "tiny.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path
