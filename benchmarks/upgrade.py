"""Is a known upgrade judged for what it is? Real runs and gates against the embedded Bedrock.

    python benchmarks/upgrade.py                       # 6 seeds, four minutes on two busy cores
    python benchmarks/upgrade.py --seeds 30
    python benchmarks/upgrade.py --n-of ttft_p95       # as many prompts as the dry run names for that metric

Every command is a process of its own: `harness run --dry-run` names the prompts that find twice the margin of the pass
rate, `harness simulate` has models that differ in one thing each, `harness run` asks them, and `harness gate` judges:
all candidates as one family, as the dry run counts, and then each of them alone for its exit code. The seed of the plan
and that of the simulator are the round's number. A run that is not valid (exit code 4) is told and not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measure import print_table
from scipy.stats import norm
from truth import truth_server

BASE = {"skill": 0.90, "ttft_s": 0.8, "tokens_per_s": 100}
CANDIDATES = {
    "same": ("claude-sonnet-4-5", "invoke", {}, "the same model through another api: it answers alike"),
    "twin": ("claude-sonnet-4-6", "converse", {}, "another model that is as good, as quick and as brief"),
    "dull": ("claude-sonnet-4", "converse", {"skill": 0.80}, "10 points less skill"),
    "slow": ("claude-opus-4-5", "converse", {"ttft_s": 1.0}, "TTFT +25 %"),
    "wordy": ("claude-opus-4-6", "converse", {"verbosity": 2}, "twice the tokens at the same price"),
}
"""Label → model, api, how it differs from BASE, and that in words."""
GATE = {"pass_rate": "5pp", "ttft_p50": "10%", "ttft_p95": "10%", "cost_per_request": "20%"}
VERDICTS = ("worse", "inconclusive", "no_worse", "better")
EXIT_CODES = (0, 1, 3)
TOKEN_DRIFT = re.compile(r"the same price, (2|2\.1|1\.9) × the output tokens \(token drift\)")
Row = dict[str, Any]
SUITE = """\
suite: upgrade
defaults: {{max_tokens: 60}}
targets:
  - {{model: claude-sonnet-4-5, routing: us, api: converse, label: old}}
{targets}
baseline: old
load: {{arrival: closed, concurrency: {concurrency}, warmup: {concurrency}, repeats: {repeats}}}
gate: {gate}
prices:
{prices}
prompts:
{prompts}
"""


def write_suite(folder: Path, prompts: int, *, repeats: int, concurrency: int) -> None:
    """Sums of twelve digits, so that an answer is some tokens long; every model at the same price."""
    models = dict.fromkeys(["claude-sonnet-4-5", *(model for model, *_ in CANDIDATES.values())])
    targets = (
        f"  - {{model: {model}, routing: us, api: {api}, label: {label}}}"
        for label, (model, api, *_) in CANDIDATES.items()
    )
    text = SUITE.format(
        targets="\n".join(targets),
        concurrency=concurrency,
        repeats=repeats,
        gate=json.dumps(GATE),
        prices="\n".join(f"  - {{model: {model}, input: 3, output: 15}}" for model in models),
        prompts="\n".join(_prompt(number) for number in range(prompts)),
    )
    (folder / "upgrade.yaml").write_text(text)


def _prompt(number: int) -> str:
    left, right = 400_000_000_000 + 987_654_321 * number, 300_000_000_000 + 123_456_789 * number
    asked = f"What is {left} + {right}?"
    return f'  - {{id: sum-{number}, prompt: "{asked}", expect: "{left + right}", checks: [{{type: numeric}}]}}'


def write_profiles(folder: Path) -> Path:
    profiles = {model: {**BASE, **differs} for model, _, differs, _ in CANDIDATES.values()}
    path = folder / "profiles.json"
    path.write_text(json.dumps(profiles))
    return path


def harness(folder: Path, *arguments: object, codes: Sequence[int] = (0,)) -> tuple[int, Any]:
    """`harness ARGUMENTS --json`: its exit code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments), "--json"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode not in codes:
        raise SystemExit(f"harness {' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def find_detectable(folder: Path) -> tuple[dict[str, Row], int]:
    """The dry run's rows by metric, and the size of its family."""
    _, told = harness(folder, "run", "upgrade.yaml", "--dry-run")
    return {row["metric"]: row for row in told["power"]["metrics"]}, told["power"]["family"]


class Judged:
    """What the gate said of one run."""

    def __init__(self, folder: Path, run: Path) -> None:
        _, report = harness(folder, "gate", run, codes=EXIT_CODES)
        self.comparisons: dict[str, Row] = {each["candidate"]["target"]: each for each in report["comparisons"]}
        self.exit_codes = {
            label: harness(folder, "gate", run, "--candidate", label, codes=EXIT_CODES)[0] for label in CANDIDATES
        }

    def verdict(self, label: str, metric: str) -> str:
        """Of a metric, or `overall`, in the family of all candidates."""
        found = self.comparisons[label]
        rows = {row["metric"]: row["verdict"] for row in found["differences"] if not row["exploratory"]}
        return str({**rows, "overall": found["verdict"]}[metric])

    def told(self, label: str) -> str:
        """Of its cost."""
        return str(self.comparisons[label]["drift"]["told"])

    def disagreement(self, label: str) -> float:
        """Share of the prompts of which another share of the answers passed."""
        found = self.comparisons[label]
        return float((found["lost"] + found["gained"]) / found["prompts"])


def make_run(folder: Path, seed: int, speed: float) -> Path:
    """One run of the suite against a simulator of its own. RunIsInvalid: what the run says of itself."""
    out = folder / f"results-{seed}"
    options = ("--suite", str(folder / "upgrade.yaml"), "--profiles", str(folder / "profiles.json"))
    with truth_server(*options, "--speed", str(speed), "--seed", str(seed), fixed="") as server:
        asked = ("run", "upgrade.yaml", "--endpoint", server.url, "--seed", seed, "--out", out, "--quiet")
        code, _ = harness(folder, *asked, codes=(0, 4))
    (run,) = out.glob("*/")  # beside the index
    if code:
        findings = json.loads((run / "summary.json").read_text())["findings"]
        raise RunIsInvalid("; ".join(each["what"] for each in findings if each["invalidates"]))
    return run


class RunIsInvalid(Exception):
    """A run ended with exit code 4."""


def make_runs(folder: Path, seeds: Sequence[int], speed: float) -> Iterator[Path]:
    """The runs that are valid, one after the other: load and server have a core each."""
    for seed in seeds:
        try:
            yield make_run(folder, seed, speed)
        except RunIsInvalid as error:
            print(f"seed {seed}: invalid and left out: {error}", flush=True)


def rows_of(judged: Sequence[Judged], promised: Mapping[str, Row]) -> Iterator[tuple[str, ...]]:
    """A line for each candidate and metric: how often the gate said what."""
    for label in CANDIDATES:
        for metric in (*GATE, "overall"):
            said = Counter(each.verdict(label, metric) for each in judged)
            codes = Counter(each.exit_codes[label] for each in judged) if metric == "overall" else None
            sees = promised[metric]["sees"] if metric in promised else None
            unit = "pp" if metric == "pass_rate" else "%"
            yield (
                f"{label} {metric}", *(str(said[verdict] or "") for verdict in VERDICTS),
                "" if sees is None else f"{100 * sees:.0f} {unit}",
                "" if codes is None else ", ".join(f"{code}: {codes[code]}" for code in EXIT_CODES if codes[code]),
            )  # fmt: skip


def power_at(n: int, difference: float, discordance: float, family: int) -> float:
    """The chance that McNemar's test finds it, at Holm's strictest: `pairs_for_difference` solved for the power."""
    z = norm.ppf(1 - 0.05 / family / 2)
    return float(norm.cdf((difference * n**0.5 - z * discordance**0.5) / (discordance - difference**2) ** 0.5))


def lines_of(judged: Sequence[Judged], prompts: int, family: int) -> Iterator[str]:
    """What the issue asks to be shown, in words."""
    n = len(judged)
    disagree = sum(each.disagreement("dull") for each in judged) / n
    fell = sum(each.verdict("dull", "pass_rate") == "worse" for each in judged)
    slower = sum("worse" in (each.verdict("slow", "ttft_p50"), each.verdict("slow", "ttft_p95")) for each in judged)
    dearer = sum(each.verdict("wordy", "cost_per_request") == "worse" for each in judged)
    named = sum(bool(TOKEN_DRIFT.search(each.told("wordy"))) for each in judged)
    for label in ("same", "twin"):
        said = Counter(each.verdict(label, "overall") for each in judged)
        told = ", ".join(f"{said[verdict]} {verdict}" for verdict in VERDICTS if said[verdict])
        yield f"{label} ({CANDIDATES[label][3]}): {told} of {n}"
    yield (
        f"10 points less skill: worse in {fell} of {n} ({fell / n:.0%}) at {prompts} prompts; promised 80% where "
        f"the two disagree on 30% of prompts; at the {disagree:.0%} here and Holm's strictest step "
        f"{power_at(prompts, 0.1, disagree, family):.0%}"
    )
    yield f"TTFT +25 %: worse in {slower} of {n}"
    yield f"twice the tokens: cost worse in {dearer} of {n}, named as token drift at the same price in {named}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=16, help="rounds at once, of all six targets")
    parser.add_argument("--speed", type=float, default=4, help="of the simulator; too high, and the runs are invalid")
    parser.add_argument("--n-of", choices=list(GATE), default="pass_rate", help="the metric whose n is asked")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, 1, repeats=asked.repeats, concurrency=asked.concurrency)
        prompts = find_detectable(folder)[0][asked.n_of]["prompts_for_worse"]
        write_suite(folder, prompts, repeats=asked.repeats, concurrency=asked.concurrency)
        write_profiles(folder)
        promised, family = find_detectable(folder)
        runs = list(make_runs(folder, range(1, asked.seeds + 1), asked.speed))
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            judged = list(pool.map(lambda run: Judged(folder, run), runs))
    if not judged:
        raise SystemExit("no run was valid; lower --speed or --concurrency")
    print(f"{prompts} prompts asked {asked.repeats}×, which the dry run names for twice the margin of {asked.n_of}")
    headings = ("candidate, metric", *VERDICTS, "dry run: worse from", "exit codes of its own gate")
    print_table(headings, list(rows_of(judged, promised)))
    print(*lines_of(judged, prompts, family), sep="\n")


if __name__ == "__main__":
    main()
