"""report.html in a real browser: it loads nothing, runs nothing, and fits the screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, async_playwright

from harness.analysis.compare.comparison import Flip, Outcomes
from harness.report.compare.sections import compare_report
from harness.report.figures import FIGURES
from harness.report.page import render_page
from harness.report.run.sections import run_report
from harness.report.section import Picture
from harness.report.write import draw_comparison

HOSTILE = (
    "</pre><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    '<meta http-equiv="refresh" content="0; url=https://example.com"><style>body {display: none}</style>'
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("HARNESS_REQUIRE_BROWSER"),
    reason="no Chromium here; HARNESS_REQUIRE_BROWSER=1 makes that a failure",
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        assert CHROMIUM is not None, "HARNESS_REQUIRE_BROWSER is set and there is no Chromium"
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def page_url(make_run: Any, pictures: dict[str, Picture], tmp_path: Path) -> str:
    """A report in which the suite's name and every error message are attacks."""
    view = make_run(suite=HOSTILE, failure_rate=0.5)
    targets = [replace(each, error_messages=dict.fromkeys(each.error_kinds, HOSTILE)) for each in view.summary.targets]
    summary = replace(view.summary, targets=targets)
    path = tmp_path / "report.html"
    path.write_text(render_page(run_report(summary, list(pictures.values()))), encoding="utf-8")
    return path.as_uri()


async def test_a_comparison_is_closed_to_what_a_model_wrote_and_fits_the_screen(
    browser: Browser, make_report: Any, make_comparison: Any, tmp_path: Path
) -> None:
    flip = Flip(prompt_id=HOSTILE, direction="worse", baseline=Outcomes(passed=1, scored=1),
                candidate=Outcomes(passed=0, scored=1),
                baseline_answer=HOSTILE, candidate_answer="x" * 5000, reason=HOSTILE)  # fmt: skip
    report = make_report(comparisons=(make_comparison(flips=(flip,)),))
    path = tmp_path / "compare.html"
    path.write_text(render_page(compare_report(report, draw_comparison(report))), encoding="utf-8")
    for width in (400, 1200):
        page = await browser.new_page(viewport={"width": width, "height": 900})
        complaints: list[str] = []
        page.on("console", lambda message, complaints=complaints: complaints.append(message.text))
        await page.goto(path.as_uri())
        answer = page.locator(".sides pre").first
        assert not await answer.is_visible()
        await page.locator("summary", has_text="worse").first.click()
        assert await answer.is_visible()
        assert [] == complaints
        assert "SIMULATED: quickstart: worse" == await page.title()
        assert await page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.close()


async def test_the_page_is_closed_to_what_a_model_wrote_and_fits_the_screen(browser: Browser, page_url: str) -> None:
    for width in (400, 1200):
        page = await browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, complaints=complaints: complaints.append(message.text))
        page.on("pageerror", lambda error, complaints=complaints: complaints.append(str(error)))
        await page.goto(page_url)
        assert [page_url] == [url for url in asked if not url.startswith("data:")]
        assert [] == complaints
        assert (await page.title()).startswith("SIMULATED: </pre>")
        assert await page.locator("text=display: none").first.is_visible()
        assert len(FIGURES) == await page.locator("img").count()
        assert await page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.close()
