"""Makes docs/gallery.md: each figure, how to read it and the command that draws it, from the shipped suites. SIMULATED.

python benchmarks/gallery.py [SOURCE…]    without a source: all of them, about five minutes
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from PIL import Image

from harness.report.against_history import figure as against_history
from harness.report.compare import forest
from harness.report.figures import FIGURES
from harness.report.history import figure as history
from harness.report.sweep import figure as sweep

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "gallery"
HARNESS = Path(sys.executable).with_name("harness")
QUICKSTART, RUSH_HOUR = "suites/quickstart.yaml", "suites/rush-hour.yaml"
TWO = ("--target", "claude-haiku-4-5/global/converse", "--target", "claude-sonnet-4-6/us/converse")
SWEPT = ("--target", "claude-haiku-4-5/global/converse", "--target", "claude-haiku-4-5/us/invoke")
NIGHTS = 8
WIDTH, COLOURS, MOST_BYTES = 1200, 96, 120_000
READ = {name: module.READ for name, module in FIGURES.items()} | {
    "forest": forest.READ,
    "history": history.READ,
    "against-history": against_history.READ,
    "sweep": sweep.READ,
}
"""Figure → how to read it, in the order of the page."""
SHOWN = {
    "quickstart": ("quality_cost", "prompt_heatmap", "cost_breakdown", "latency_ecdf", "percentiles", "time_spent",
                   "output_length", "throughput", "forest"),
    "routing": ("routing",),
    "context": ("input_length",),
    "overhead": ("client_overhead",),
    "rush": ("offered_load", "errors", "errors_over_time", "timeline"),
    "sweep": ("sweep",),
    "nights": ("history", "against-history"),
}  # fmt: skip
"""Source → the figures that are taken from it."""
COMMANDS = {
    "quickstart": "harness run suites/quickstart.yaml --repeats 3",
    "forest": "harness compare --candidate claude-sonnet-4-6/global/invoke",
    "routing": "harness run suites/global-vs-regional.yaml",
    "context": "harness run suites/long-context.yaml",
    "overhead": "harness run suites/sdk-overhead.yaml",
    "rush": "harness run suites/rush-hour.yaml",
    "sweep": "harness sweep suites/quickstart.yaml --from 8 --requests 80",
    "history": "harness history --out history/",
    "against-history": "harness gate --against history",
}
"""Source, or figure if it has a command of its own → the command."""
NOTES = {
    "forest": "of the run above",
    "rush": "against `harness simulate --throttle-rate 0.03 --capacity us=6`, which throttles now and then and serves "
    "few regional streams at once",
    "sweep": "two of its targets",
    "history": f"{NIGHTS} runs of two targets of `suites/quickstart.yaml`, and one more with a slower model",
    "against-history": "of the last of those runs",
}


def main(sources: list[str]) -> None:
    PICTURES.mkdir(exist_ok=True)
    for source in sources or SHOWN:
        print(source, flush=True)
        with tempfile.TemporaryDirectory() as work:
            folder = MAKE[source](Path(work))
            for name in SHOWN[source]:
                save_small(find_picture(folder, name), PICTURES / f"{name}.png")
    PAGE.write_text(page(), encoding="utf-8")


def harness(*arguments: str | Path, may_fail: bool = False) -> None:
    subprocess.run([HARNESS, *arguments], cwd=ROOT, check=not may_fail, stdout=subprocess.DEVNULL)


def run(suite: str, *options: str) -> Callable[[Path], Path]:
    """Runs a suite; returns the run's folder."""

    def make(work: Path) -> Path:
        harness("run", suite, "--out", work, "--quiet", "--format", "png", *options, may_fail=True)
        return newest(work)

    return make


def make_quickstart(work: Path) -> Path:
    folder = run(QUICKSTART, "--repeats", "3")(work)
    harness("compare", folder, "--candidate", "claude-sonnet-4-6/global/invoke", "--format", "png")
    return folder


def make_rush(work: Path) -> Path:
    with simulator("--suite", RUSH_HOUR, "--throttle-rate", "0.03", "--capacity", "us=6") as url:
        return run(RUSH_HOUR, "--endpoint", url)(work)


def make_sweep(work: Path) -> Path:
    load = ("--from", "8", "--requests", "80")
    harness("sweep", QUICKSTART, "--out", work, "--quiet", "--format", "png", *load, *SWEPT, may_fail=True)
    return newest(work)


def make_nights(work: Path) -> Path:
    """Nights at four times the models' speed, to save time; the model of the last one is slower."""
    slower = work / "slower.json"
    slower.write_text(json.dumps({"claude-sonnet-4-6": {"ttft_s": 1.6}}), encoding="utf-8")
    port = free_port()  # one endpoint, or the runs are no history of each other
    for night in range(NIGHTS + 1):
        profiles = ("--profiles", str(slower)) if night == NIGHTS else ()
        with simulator("--suite", QUICKSTART, "--speed", "4", "--seed", str(night), *profiles, port=port) as url:
            run(QUICKSTART, "--endpoint", url, "--seed", str(night), "--repeats", "2", *TWO)(work / "runs")
    harness("gate", newest(work / "runs"), "--against", "history", may_fail=True)
    harness("history", work / "runs", "--out", work / "history.png")
    return work


MAKE: dict[str, Callable[[Path], Path]] = {
    "quickstart": make_quickstart,
    "routing": run("suites/global-vs-regional.yaml"),
    "context": run("suites/long-context.yaml"),
    "overhead": run("suites/sdk-overhead.yaml"),
    "rush": make_rush,
    "sweep": make_sweep,
    "nights": make_nights,
}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def simulator(*options: str, port: int | None = None) -> Iterator[str]:
    """A simulator of its own; yields its URL."""
    port = port or free_port()
    server = subprocess.Popen([HARNESS, "simulate", "--port", str(port), *options], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while server.poll() is None and socket.socket().connect_ex(("127.0.0.1", port)):
            sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def newest(folder: Path) -> Path:
    """The last run in a results folder."""
    return max(path.parent for path in folder.glob("*/manifest.json"))


def find_picture(folder: Path, name: str) -> Path:
    return max(folder.rglob(f"{name}.png"), key=lambda path: path.stat().st_mtime)


def save_small(picture: Path, path: Path) -> None:
    """The picture at WIDTH in few colours."""
    image = Image.open(picture).convert("RGB")
    image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    few = image.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)  # keeps rare hues
    few.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path}: {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}; use fewer COLOURS")


def page() -> str:
    sources = {name: source for source, names in SHOWN.items() for name in names}
    parts = [
        "# The figures",
        "Every figure of a report, how to read it, and the command that draws it. All are from the embedded Bedrock "
        "and say SIMULATED. `harness run` and `harness report` draw those figures that the run has data for; "
        "`--figures` chooses among them by name, `--format png,svg,pdf` the files in `plots/`. On the page each "
        "figure has its values as a table. `python benchmarks/gallery.py` makes this page again.",
        "A percentile is drawn hollow, or a curve thin, where the data gives it no upper bound: 40 requests say little "
        "about a p99. The legend says how many it takes.",
    ]
    for name, sentence in READ.items():
        key = name if name in COMMANDS else sources[name]
        note = NOTES.get(name) or NOTES.get(sources[name]) or ""
        parts += [
            f"## {name}",
            sentence,
            f"![{name}: {sentence}](gallery/{name}.png)",
            f"`{COMMANDS[key]}`" + (f" ({note})" if note else ""),
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
