"""A million attempts from Parquet to summary, figures and pages: the steps of `harness report RUN`, each timed.

    python benchmarks/analyse.py                 # 1,000,000 attempts of 4 targets and 40 prompts, 100 chunks each
    python benchmarks/analyse.py --rows 100000 --ungraded
    python benchmarks/analyse.py --command       # and the real `harness report RUN` in a process of its own

DuckDB makes the run; that is not timed. Latencies are lognormal, 1 % of the attempts fail, answers are 200 characters
long (the right ones a word). Goal: summary, figures and pages in 5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import msgspec
from measure import Steps, print_table

from harness.store.manifest import new_manifest
from harness.store.parquet import ROW_GROUP_BYTES, column_types, quote
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.loader import load_suite

GOAL_S = 5.0
PROMPTS = 40
BASELINE = "baseline: claude-haiku-4-5/global/converse\n"
SUITE = """\
suite: million
endpoint: simulator
targets:
  - {model: [claude-haiku-4-5, claude-sonnet-4-6], routing: [global, us], api: converse, client: aioboto3}
load: {arrival: constant, rate: 500/s, duration: 500s, warmup: 0}
slo: {ttft: 2s, e2e: 20s}
prompts:
"""

# A quarter of the rows is each target's. Stamps are ns since the run's start, chunks 15 ms apart.
ROWS = """
with rows as (
    select i, i % 4 as t, (i // 4) as n, random() as a, random() as b, random() as c, random() as d,
        (i // 4) * 2000000::bigint as due
    from range($rows) as r(i)
), timed as (
    select *, due + 300000 + (d * 400000)::bigint as sent,
        (exp(-0.9 + 0.35 * (t // 2) + 0.45 * sqrt(-2 * ln(greatest(a, 1e-12))) * cos(2 * pi() * b)) * 1e9)::bigint
            as ttft,
        c > 0.01 as good
    from rows
), written as (
    select *, list_transform(range($chunks), lambda k: ttft // 1000 + k * 15000 + (k * 7919 + i) % 2000) as chunks
    from timed
)
select 'million' as run_id, concat(n, '-', t) as request_id, concat(n, '-', t, '-1') as attempt_id, 1 as try_no,
    targets.target, targets.base_model, targets.model_id, targets.routing, targets.api, targets.client, targets.region,
    true as stream, concat('p', n % $prompts) as prompt_id, null as group_id, n // $prompts as repeat,
    'measure' as phase, due as due_ns, sent as sent_ns, if(good, sent + ttft - 5000000, null) as headers_ns,
    if(good, sent + ttft, null) as first_ns, if(good, sent + chunks[-1] * 1000, null) as last_ns,
    sent + if(good, chunks[-1] * 1000 + 2000000, 40000000) as done_ns, if(good, chunks, []) as chunk_us,
    if(good, 60 + n % 300, null) as input_tokens, if(good, 100 + i % 60, null) as output_tokens,
    0 as cache_read_tokens, 0 as cache_write_tokens, if(good, 'end_turn', null) as stop_reason,
    if(good, if(d < 0.9, 'Paris', concat(repeat(md5(i::varchar), 6), '.')), null) as text, good as ok,
    if(good, null, if(i % 3 = 0, 'unavailable', 'throttled')) as error_kind,
    if(good, null, 'ThrottlingException') as error_code, if(good, null, 'Too many tokens, wait.') as error_message,
    if(good, 200, 429) as http_status, md5(concat('r', i)) as aws_request_id, null as server_latency_ms,
    null as server_first_byte_ms, if(good, (60 + n % 300 + 5 * (100 + i % 60)) * (1 + t) / 1e6, null) as cost_usd,
    null as citations
from written join targets on targets.place = t
"""


def make_run(results: Path, *, rows: int, chunks: int, graded: bool, baseline: bool) -> RunFolder:
    """A finished run of `rows` attempts. `baseline`: the suite has one, so that the report begins with a verdict."""
    path = results / "million.yaml"
    expected = ", expect: Paris" if graded else ""
    prompts = (f"  - {{id: p{i}, prompt: 'Question {i}?'{expected}, tags: [tag{i % 4}]}}\n" for i in range(PROMPTS))
    path.write_text((BASELINE if baseline else "") + SUITE + "".join(prompts))
    suite = load_suite(path)
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=rows)
    run = create_run(results, msgspec.structs.replace(manifest, state="complete", attempts=rows), suite)
    with duckdb.connect() as con:
        con.execute("set enable_progress_bar = false")
        con.execute(
            "create table targets (place int, target varchar, base_model varchar, model_id varchar,"
            " routing varchar, api varchar, client varchar, region varchar)"
        )
        con.executemany(
            "insert into targets values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (i, t.name, t.base_model, t.model_id, t.routing, t.api, t.client, t.region)
                for i, t in enumerate(suite.targets)
            ],
        )
        casts = ", ".join(f'"{name}"::{kind} as "{name}"' for name, kind in column_types(Attempt).items())
        made = ROWS.replace("$rows", str(rows)).replace("$chunks", str(chunks)).replace("$prompts", str(PROMPTS))
        con.execute(
            f"copy (select {casts} from ({made})) to {quote(str(run.attempts_path))}"
            f" (format parquet, compression zstd, row_group_size_bytes {ROW_GROUP_BYTES})"
        )
    return run


def time_report(run: RunFolder) -> Steps:
    """What `harness report RUN` does, step by step, in this process."""
    steps = Steps()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does: threads forbid forks
    with steps.timed("import"):
        from harness.analysis.answers.load import load_book
        from harness.analysis.compare.pairing import FinishedRun
        from harness.analysis.loader import load_run
        from harness.analysis.summary.summarise import summarise
        from harness.report.drawing.frame import make_view
        from harness.report.run.facts import facts_section
        from harness.report.run.sections import run_report
        from harness.report.run.verdict import add_verdicts
        from harness.report.write import draw_run, write_run
        from harness.scoring.score import score_run

    suite = run.read_suite()
    steps.run("score", lambda: asyncio.run(score_run(run, suite, None)))
    data = steps.run("load", lambda: load_run(run))
    manifest = run.read_manifest()
    summary = steps.run("summarise", lambda: summarise(manifest, suite, data))
    finished = FinishedRun(manifest=manifest, suite=suite, data=data)
    summary, comparison = steps.run("verdicts", lambda: add_verdicts(summary, finished))
    book = steps.run("answers", lambda: load_book(run, suite))
    pictures = steps.run("figures", lambda: draw_run(make_view(summary, data.columns, finished)))
    with steps.timed("pages"):
        facts = facts_section(manifest, suite, data.columns)
        content = run_report(summary, pictures, comparison=comparison, book=book, run=facts)
        write_run(run.path, content, pictures)
    return steps


def print_steps(steps: Steps) -> None:
    """The table, and the sums that the goal is about."""
    rows = [(s.name, f"{s.wall_s:.2f}", f"{s.cpu_s:.2f}", f"{s.peak_mib:,.0f}") for s in steps.done]
    print_table(("step", "wall s", "CPU s", "peak RSS MiB"), rows)
    wall = {s.name: s.wall_s for s in steps.done}
    without = sum(wall.values()) - wall["score"] - wall["import"]
    print(f"\nsummary, figures and pages: {without:.2f} s = {without / GOAL_S:.2f} of the goal ({GOAL_S:g} s)")
    print(f"with grading and imports:   {sum(wall.values()):.2f} s = {sum(wall.values()) / GOAL_S:.2f} of it")


def time_command(run: RunFolder) -> None:
    """`harness report RUN` and nothing else, interpreter start included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "harness", "report", str(run.path)], check=False, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - start
    print(f"harness report RUN:         {took:.2f} s = {took / GOAL_S:.2f} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--chunks", type=int, default=100, help="content chunks of each answer")
    parser.add_argument("--ungraded", action="store_true", help="prompts without checks, as in a load test")
    parser.add_argument("--baseline", action="store_true", help="compare the targets with the first one")
    parser.add_argument("--command", action="store_true", help="time the real command, too")
    parser.add_argument("--run", type=Path, help="a run's folder that is there already, instead of one made here")
    parser.add_argument("--keep", type=Path, help="make the run in this folder and leave it there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.run is not None:
            run = RunFolder(options.run)
        else:
            place = options.keep or Path(folder)
            place.mkdir(parents=True, exist_ok=True)
            run = make_run(
                place, rows=options.rows, chunks=options.chunks, graded=not options.ungraded, baseline=options.baseline
            )
            size = run.attempts_path.stat().st_size / 1e6
            print(f"{options.rows:,} attempts, {options.chunks} chunks each: {size:,.0f} MB of Parquet\n")
        print_steps(time_report(run))
        if options.command:
            time_command(run)


if __name__ == "__main__":
    main()
