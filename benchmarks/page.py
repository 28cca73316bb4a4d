"""How quickly a report with 2,000 answers opens in a browser, and how large it is.

    python benchmarks/page.py
    python benchmarks/page.py --answers 2000 --targets 8 --runs 9

Chromium opens the file from disk, headless, each time in a new window. Goals: first contentful paint under a second,
the file under 10 MB. A page without answers, opened by turns with it, tells a slow machine from a slow page.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from measure import print_table
from playwright.sync_api import Browser, Page, sync_playwright

from harness.analysis.answers.book import AnswerBook, AskedPrompt, BookArm, Cell, CheckResult, ReadAnswer, Turn
from harness.report.page import render_page
from harness.report.section import Report, Section

GOAL_S, GOAL_MB = 1.0, 10.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
TEXT = "the order was placed on Tuesday and left by rail because air freight cost more than its margin allowed"
NO_ANSWERS, PAINT = "first paint, no answers", "first paint"
STEPS = {
    "open a prompt": "document.querySelector('.map a').click()",
    "filter": "location.hash = 'outcome=fail'",
    "search": "location.hash = 'q=rail because'",
}
"""What a reader does, one after the other; each is over when the browser has drawn it."""
DRAWN = """
() => new Promise(done => {{
    const start = performance.now();
    const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    addEventListener("hashchange", drawn, {{once: true}});
    {step};
}})
"""


def make_book(answers: int, targets: int, characters: int) -> AnswerBook:
    """Answers of about so many characters, each with a check and its reason."""
    draw, words = random.Random(7), TEXT.split()
    prompts = -(-answers // targets)

    def write(length: int) -> str:
        return " ".join(draw.choices(words, k=length // 5))

    made = [
        ReadAnswer(
            prompt=prompt,
            arm=arm,
            request_id=f"{prompt}-{arm}",
            passed=draw.random() < 0.8,
            text=write(characters),
            checks=(CheckResult(scorer="contains", passed=True, value=1.0, reason=write(60)),),
            stop_reason="end_turn",
            input_tokens=draw.randint(80, 400),
            output_tokens=characters // 4,
            cost_usd=draw.random() / 1000,
            queue_s=draw.random() / 100,
            ttft_s=draw.random(),
            stream_s=3 * draw.random(),
        )
        for prompt in range(prompts)
        for arm in range(targets)
    ][:answers]
    asked = [
        AskedPrompt(
            id=f"p{at:04d}", tags=(f"tag-{at % 7}",), turns=(Turn(role="user", text=write(400)),), expect=write(60)
        )
        for at in range(prompts)
    ]
    cells = [
        Cell(prompt=a.prompt, arm=a.arm, answers=1, passed=int(a.passed is True), scored=1, failed=0) for a in made
    ]
    arms = [BookArm(target=f"claude-{at}/global/converse") for at in range(targets)]
    return AnswerBook(arms=tuple(arms), prompts=tuple(asked), answers=tuple(made), cells=tuple(cells), total=len(made),
                      total_prompts=prompts)  # fmt: skip


def open_page(browser: Browser, url: str) -> tuple[Page, float]:
    """A new window with the page, and milliseconds to its first contentful paint."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(url)
    page.wait_for_function(f"{PAINTED} !== undefined")
    return page, page.evaluate(PAINTED)


def measure(browser: Browser, full: str, empty: str, runs: int) -> dict[str, list[float]]:
    """Milliseconds of each step in each run but the first, which warms the browser."""
    took: dict[str, list[float]] = {name: [] for name in (NO_ANSWERS, PAINT, *STEPS)}
    for _ in range(runs + 1):
        window, painted = open_page(browser, empty)
        took[NO_ANSWERS].append(painted)
        window.close()
        window, painted = open_page(browser, full)
        took[PAINT].append(painted)
        for name, step in STEPS.items():
            took[name].append(window.evaluate(DRAWN.format(step=step)))
        window.close()
    return {name: each[1:] for name, each in took.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=2_000)
    parser.add_argument("--targets", type=int, default=8)
    parser.add_argument("--characters", type=int, default=1_500, help="of each answer")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("needs Chromium on the PATH")
    book = make_book(given.answers, given.targets, given.characters)
    start = time.perf_counter()
    page = render_page(Report(title="page", simulated=True, sections=[Section(title="Prompts", book=book)]))
    rendered_s = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        full, empty = Path(folder, "full.html"), Path(folder, "empty.html")
        full.write_text(page, encoding="utf-8")
        empty.write_text(render_page(Report(title="page", simulated=True, sections=[])), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        took = measure(browser, full.as_uri(), empty.as_uri(), given.runs)
        browser.close()
    medians = {name: statistics.median(each) for name, each in took.items()}
    rows = [
        (name, f"{ms:.0f}", f"{min(took[name]):.0f}", f"{ms / medians[NO_ANSWERS]:.1f}") for name, ms in medians.items()
    ]
    print_table(("step", "median ms", "least ms", "× no answers"), rows)
    size = len(page.encode()) / 1e6
    print(f"{given.answers:,} answers: {size:.1f} MB, {size / GOAL_MB:.2f} of the goal; written in {rendered_s:.2f} s")
    print(f"first paint: {medians[PAINT] / 1000 / GOAL_S:.2f} of the goal")


if __name__ == "__main__":
    main()
