"""A tiny run, made in milliseconds: two targets, three prompts, a retry, a failure, and everything that grades."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path

import msgspec

from harness.report.plots import Plots
from harness.report.write import report_run
from harness.scoring.judging.judges import NoJudges
from harness.scoring.score import score_run
from harness.scoring.scorer import Question, Verdict
from harness.store.manifest import new_manifest
from harness.store.opening import open_run
from harness.store.records import Attempt
from harness.store.run_folder import create_run
from harness.suite.loader import load_suite

RUN_ID = "20261122T024500Z-tiny-a1b2c3"
SUITE = """\
suite: tiny
targets: [{model: claude-haiku-4-5, routing: [global, us]}]
baseline: claude-haiku-4-5/global/converse
gate: {pass_rate: 10pp, ttft_p50: 50%}
judges: {strict: {model: claude-opus-4-5, routing: global}}
prompts:
  - {id: capital, prompt: "Capital of France?", expect: Paris, tags: [geo]}
  - {id: sum, prompt: "What is 1 + 1?", expect: "2", checks: [{type: numeric}], group: sums}
  - id: poem
    prompt: Write a poem.
    checks: [{type: judge, judge: strict, rubric: It rhymes.}, {type: pairwise, judge: strict}]
"""
ANSWERS = {"capital": "Paris", "sum": "It is 3.", "poem": "Roses are red,\nviolets are blue."}
NO_FIGURES = Plots(figures=())


class _Generous(NoJudges):
    """Judges that like everything, and that cost nothing."""

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        return Verdict(given={"score": 1, "better": "tie", "reason": "fine"}, cost_usd=0.001)


@cache
def killed_run() -> dict[str, bytes]:
    """File name → content of the run as `kill -9` leaves it: with its journal and judgements, without Parquet."""
    whole = whole_run()
    return {name: whole[name] for name in ("manifest.json", "suite.json", "judgements.jsonl")} | {
        "attempts.jsonl": _journal()
    }


@cache
def whole_run() -> dict[str, bytes]:
    """The same of the run once it is finished, graded and reported."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "tiny.yaml"
        source.write_text(SUITE)
        suite = load_suite(source)
        started = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=6)
        manifest = msgspec.structs.replace(started, run_id=RUN_ID, origin_utc_ns=1_795_315_500 * 10**9)
        run = create_run(Path(folder), manifest, suite)
        run.journal_path().write_bytes(_journal())
        open_run(run.path, recover=True)
        asyncio.run(score_run(run, suite, _Generous(suite)))  # type: ignore[arg-type]
        report_run(run, suite, NO_FIGURES)
        return {path.name: path.read_bytes() for path in sorted(run.path.iterdir()) if path.is_file()}


@cache
def _journal() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "tiny.yaml"
        source.write_text(SUITE)
        targets = load_suite(source).targets
    attempts = [
        Attempt(
            run_id=RUN_ID, request_id=f"{prompt}-{at}", attempt_id=f"{prompt}-{at}-{try_no}", try_no=try_no,
            target=target.name, base_model=target.base_model, model_id=target.model_id, routing=target.routing,
            api=target.api, client=target.client, region=target.region, stream=True, prompt_id=prompt, repeat=0,
            phase="measure", due_ns=at * 10**9, sent_ns=at * 10**9 + 10**6, headers_ns=at * 10**9 + 10**8,
            first_ns=at * 10**9 + 2 * 10**8, last_ns=at * 10**9 + 4 * 10**8, done_ns=at * 10**9 + 5 * 10**8,
            chunk_us=[200_000, 400_000], input_tokens=20, output_tokens=10, stop_reason="end_turn", text=text,
            ok=ok, error_kind=None if ok else "throttled", error_message=None if ok else "slow down",
            http_status=200 if ok else 429, cost_usd=0.001,
        )
        for at, (target, (prompt, text)) in enumerate((t, each) for t in targets for each in ANSWERS.items())
        for try_no, ok in ((1, at != 1), (2, True))
        if try_no == 1 or at == 1
    ]  # fmt: skip
    return msgspec.json.Encoder().encode_lines(attempts)
