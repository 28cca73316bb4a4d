"""What a bill does, from outside: run folders that the store wrote, and the real commands on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.catalog.prices import Price
from harness.catalog.target import Target
from harness.store.manifest import TargetPrice, new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Load, Message, Prompt, Suite

PROMPTS = 100
DEAR = np.arange(PROMPTS) % 10 == 0
TOKENS = np.where(DEAR, 4000, 200)
"""One prompt in ten is twenty times as dear."""
Rates = tuple[float, float]


def make_target(name: str) -> Target:
    return Target(name=name, model="m", base_model=f"anthropic.{name}", model_id=f"global.anthropic.{name}",
                  routing="global", api="converse", client="wire", region="us-east-1")  # fmt: skip


def write_run(folder: Path, tokens: Mapping[str, np.ndarray], rates: Rates, seed: int) -> RunFolder:
    """A run whose targets had so many output tokens an answer, give or take 2 %, at these rates."""
    suite = Suite(
        name="bill",
        digest="0123456789ab",
        endpoint="simulator",
        targets=tuple(make_target(name) for name in tokens),
        prompts=tuple(Prompt(id=f"p{i:03d}", messages=(Message(role="user", content="?"),)) for i in range(PROMPTS)),
        baseline=next(iter(tokens)),
        load=Load(warmup=1),
        gate={"cost_per_request": "10%"},
    )
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=seed, planned=None)
    price = Price(input=rates[0], output=rates[1], source="the list of the day", as_of=None)
    prices = tuple(TargetPrice(target=name, price=price) for name in tokens)
    run = create_run(folder, msgspec.structs.replace(manifest, prices=prices), suite)
    noise = np.random.default_rng(seed).lognormal(0, 0.02, PROMPTS)
    attempts = [
        make_attempt(run, name, at, round(made), rates)
        for name, each in tokens.items()
        for at, made in enumerate(each * noise)
    ]
    run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(attempts))
    run.finalise("complete")
    return run


def make_attempt(run: RunFolder, target: str, at: int, made: int, rates: Rates) -> Attempt:
    due = at * 100_000_000
    stamps = {"due_ns": due, "sent_ns": due, "headers_ns": due + 10**8, "first_ns": due + 10**8,
              "last_ns": due + 2 * 10**8, "done_ns": due + 2 * 10**8}  # fmt: skip
    return Attempt(
        run_id=run.path.name, request_id=f"{at:06d}-{target}", attempt_id=f"{at:06d}-{target}-1", try_no=1,
        target=target, base_model=f"anthropic.{target}", model_id=f"global.anthropic.{target}", routing="global",
        api="converse", client="wire", region="us-east-1", stream=True, prompt_id=f"p{at:03d}", repeat=0,
        phase="measure", input_tokens=50, output_tokens=made, ok=True,
        cost_usd=(50 * rates[0] + made * rates[1]) / 1e6, **stamps,
    )  # fmt: skip


def row_of(report: Any, metric: str) -> dict[str, Any]:
    (comparison,) = report["comparisons"]
    (found,) = [each for each in comparison["differences"] if each["metric"] == metric]
    return dict(found)


def test_one_prompt_in_ten_that_is_twenty_times_as_dear_and_doubles_is_worse(command: Any, tmp_path: Path) -> None:
    """+69 % on the bill, and +7 % as a geometric mean, which the gate used to go by."""
    doubled = np.where(DEAR, 2 * TOKENS, TOKENS)
    run = write_run(tmp_path / "results", {"old": TOKENS, "new": doubled}, (0.0, 5.0), seed=1)
    done = command("gate", run.path)
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "worse: new is worse than old on cost per request: +69" in done.stdout.replace("\n", " ")
    report = json.loads((run.path / "compare.json").read_bytes())
    bill, typical = row_of(report, "cost_per_request"), row_of(report, "cost_per_prompt_geometric")
    assert "cluster-jackknife" == bill["method"]
    assert 0.69 == pytest.approx(np.expm1(bill["estimate"]), abs=0.01)
    assert 0.07 == pytest.approx(np.expm1(typical["estimate"]), abs=0.005)
    assert typical["exploratory"]
    drift = report["comparisons"][0]["drift"]
    assert drift["price_ratio"] * drift["token_ratio"] == pytest.approx(drift["cost_ratio"], rel=1e-12)
    assert np.log(drift["cost_ratio"]) == pytest.approx(bill["estimate"])


@pytest.mark.parametrize("recorded", [True, False])
def test_a_list_price_that_rose_between_two_runs_is_told_apart(command: Any, tmp_path: Path, recorded: bool) -> None:
    """`recorded`: else the earlier run is one of a version that put no prices into the manifest."""
    results = tmp_path / "results"
    before = write_run(results, {"old": TOKENS}, (1.0, 5.0), seed=1)
    after = write_run(results, {"old": TOKENS}, (1.2, 6.0), seed=1)
    if not recorded:
        manifest = json.loads(before.manifest_path.read_bytes())
        del manifest["prices"]
        before.manifest_path.write_text(json.dumps(manifest))
    done = command("compare", before.path, after.path, "--json")
    assert 0 == done.returncode, done.stderr
    report = json.loads(done.stdout)
    assert "the list price of old rose 20% between the runs; tokens are as many" in str(report["findings"])
    assert 0.2 == pytest.approx(np.expm1(row_of(report, "list_price")["estimate"]))
    assert "worse" == row_of(report, "cost_per_request")["verdict"]
    drift = report["comparisons"][0]["drift"]
    assert (1.2, 1.0) == pytest.approx((drift["price_ratio"], drift["token_ratio"]))
    shown = command("compare", before.path, after.path).stdout.replace("\n", " ")
    assert "list price of old rose 20%" in " ".join(shown.split())
