"""`load.store_text: false` and `load.redact`, held against everything that a real run writes."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import call_harness
from tests.cli.test_secrets import everything_in
from tests.processes import only_run

SUITE = """\
suite: private
defaults: {system: Be CANARYSYSTEM., stop_sequences: [CANARYSTOP]}
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire}
  - {model: claude-sonnet-4-6, routing: us, api: invoke, client: wire}
baseline: claude-haiku-4-5/global/converse
judges:
  strict:
    {model: claude-opus-4-5, routing: us, api: converse, client: wire, calibration: labels.csv}
load: {concurrency: 2, LOAD}
prompts:
  - {id: name, prompt: The name CANARYPROMPT?, expect: CANARYANSWER, tags: [names]}
  - id: graded
    messages:
      - {role: user, content: I am CANARYFIRST.}
      - {role: assistant, content: Hello CANARYREPLY.}
      - {role: user, content: Say CANARYLAST.}
    expect: CANARYREFERENCE
    checks: [{type: judge, judge: strict, rubric: Is it CANARYRUBRIC?}, {type: contains, expect: CANARYCONTAINS}]
  - id: tool
    prompt: Look it up.
    tools:
      - {name: look_up, description: CANARYTOOL, input_schema: {type: object, properties: {a: {const: CANARYFIELD}}}}
    checks: [{type: tool_call, tool: look_up}]
"""
LABELS = "prompt_id,answer,passed\ngraded,CANARYLABEL one,true\ngraded,CANARYLABEL two,false\n"


@pytest.mark.parametrize("load", ["store_text: false", "redact: ['CANARY[A-Z]+']"])
def test_no_file_has_a_text_that_must_not_be_stored_and_reports_work_without(tmp_path: Path, load: str) -> None:
    (tmp_path / "private.yaml").write_text(SUITE.replace("LOAD", load))
    (tmp_path / "labels.csv").write_text(LABELS)
    done, again = (call_harness(tmp_path, *line) for line in (("run", "private.yaml", "--no-preflight"), ("report",)))
    assert (tmp_path / "results").exists(), done.stderr
    assert done.returncode == again.returncode
    assert "CANARY" not in done.stdout + done.stderr + again.stdout + again.stderr
    assert [] == [name for name, text in everything_in(tmp_path / "results") if "CANARY" in text]
    run = only_run(tmp_path)
    answers = duckdb.sql(f"SELECT text FROM '{run}/attempts.parquet' WHERE ok AND input_tokens > 0").fetchall()
    scorers = duckdb.sql(f"SELECT DISTINCT scorer FROM '{run}/scores.parquet' WHERE value IS NOT NULL").fetchall()
    stored = load.startswith("redact")
    assert [stored] * 6 == [text is not None for (text,) in answers]
    assert (["contains", "exact", "judge", "tool_call"] if stored else []) == sorted(name for (name,) in scorers)
    assert stored == (run / "judgements.jsonl").exists()
    assert stored == any("[redacted]" in (text or "") for (text,) in answers)
    assert 2 == len(json.loads((run / "summary.json").read_text())["targets"])
