"""The page around the browser: closed, sortable, printable, readable without scripts, and it fits the screen."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from harness.analysis.compare.comparison import Flip, Outcomes
from harness.report.compare.sections import compare_report
from harness.report.run.sections import run_report
from harness.report.section import Column, Link, Picture, Report, Section, Table
from harness.report.write import draw_comparison

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = (
    "</pre><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">"
    '<meta http-equiv="refresh" content="0; url=https://example.com"><style>body {display: none}</style>'
)
FIRST_CELLS = "[...document.querySelectorAll('#targets tbody th')].map(cell => cell.textContent)"
IMAGES_ARE_DRAWN = "[...document.images].every(image => image.complete && image.naturalWidth > 100)"
WIDTH = "document.documentElement.scrollWidth"


async def test_a_comparison_is_closed_to_what_a_model_wrote_and_fits_the_screen(
    open_page: Any, write_page: Any, make_report: Any, make_comparison: Any
) -> None:
    flip = Flip(prompt_id=HOSTILE, direction="worse", baseline=Outcomes(passed=1, scored=1),
                candidate=Outcomes(passed=0, scored=1),
                baseline_answer=HOSTILE, candidate_answer="x" * 5000, reason=HOSTILE)  # fmt: skip
    report = make_report(comparisons=(make_comparison(flips=(flip,)),))
    url = write_page(compare_report(report, draw_comparison(report)))
    for width in (390, 1200):
        page = await open_page(url, width=width)
        answer = page.locator(".sides pre").first
        assert not await answer.is_visible()
        await page.locator("summary", has_text="worse").first.click()
        assert await answer.is_visible()
        assert "SIMULATED: quickstart: worse" == await page.title()
        assert await page.evaluate(IMAGES_ARE_DRAWN)
        assert await page.evaluate(WIDTH) <= width


async def test_a_run_is_closed_to_what_a_model_wrote_and_fits_the_screen(
    open_page: Any, write_page: Any, make_run: Any, pictures: dict[str, Picture]
) -> None:
    view = make_run(suite=HOSTILE, failure_rate=0.5)
    targets = [replace(each, error_messages=dict.fromkeys(each.error_kinds, HOSTILE)) for each in view.summary.targets]
    url = write_page(run_report(replace(view.summary, targets=targets), list(pictures.values())))
    for width in (390, 1200):
        page = await open_page(url, width=width)
        assert (await page.title()).startswith("SIMULATED: </pre>")
        assert await page.locator("text=display: none").first.is_visible()
        assert len(pictures) == await page.locator("img").count()
        assert await page.evaluate(IMAGES_ARE_DRAWN)
        assert await page.evaluate(WIDTH) <= width


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
async def test_a_table_is_sorted_up_down_and_back_with_unknown_values_last(
    open_page: Any, small_page: str, by: str
) -> None:
    page = await open_page(small_page)

    async def sort(name: str) -> tuple[str | None, list[str]]:
        heading = page.get_by_role("button", name=name)
        await (heading.click() if by == "mouse" else heading.press("Enter"))
        order = [name.rpartition("/")[0].rpartition("/")[2] for name in await page.evaluate(FIRST_CELLS)]
        return await page.locator("#targets th", has=heading).get_attribute("aria-sort"), order

    assert ("ascending", ["us", "global", "eu"]) == await sort("TTFT p50, s")
    assert ("descending", ["global", "us", "eu"]) == await sort("TTFT p50, s")
    assert (None, ["global", "us", "eu"]) == await sort("TTFT p50, s")
    assert ("ascending", ["eu", "us", "global"]) == await sort("note")
    assert ("descending", ["us", "eu", "global"]) == await sort("note")


async def test_a_table_with_room_enough_does_not_scroll(open_page: Any, write_page: Any) -> None:
    table = Table(columns=[Column(heading="target"), Column(heading="$/1k")], rows=[("a", 1), ("b", 2)])
    url = write_page(Report(title="quickstart", simulated=True, sections=[Section(title="Targets", table=table)]))
    page = await open_page(url)
    assert 0 == await page.locator(".wide").evaluate("box => box.scrollWidth - box.clientWidth")


async def test_the_contents_lead_to_their_sections_under_the_band_which_stays_on_screen(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page)
    contents = page.get_by_role("navigation", name="Contents").get_by_role("link")
    assert ["Targets", "Prompts and answers", "What the numbers mean"] == await contents.all_inner_texts()
    await contents.nth(1).click()
    assert page.url.endswith("#prompts-and-answers")
    band = await page.locator(".simulated").bounding_box()
    heading = await page.get_by_role("heading", name="Prompts and answers").bounding_box()
    assert band is not None
    assert heading is not None
    assert 0 == band["y"]
    assert band["height"] <= heading["y"] < 150


async def test_the_page_follows_the_reader_into_the_dark(open_page: Any, small_page: str) -> None:
    lightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    light, dark = [
        await (await open_page(small_page, color_scheme=scheme)).evaluate(lightness) for scheme in ("light", "dark")
    ]
    assert min(light) > 240
    assert max(dark) < 40


async def test_a_link_has_the_colour_of_its_verdict(open_page: Any, write_page: Any) -> None:
    columns = [Column(heading=word, is_text=True) for word in ("run", "verdict")]
    table = Table(columns=columns, rows=[[Link("report", "a/report.html"), Link("worse", "a/compare.html", "bad")]])
    page = await open_page(
        write_page(Report(title="Runs", simulated=False, facts=[], sections=[Section(title="Runs", table=table)]))
    )
    colours = "[...document.querySelectorAll('tbody a, td.bad')].map(each => getComputedStyle(each).color)"
    plain, cell, link = await page.evaluate(colours)
    assert cell == link != plain


async def test_without_scripts_the_verdict_and_the_tables_stay_and_the_browser_says_what_it_needs(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page, java_script_enabled=False)
    assert await page.get_by_text("TTFT p95 is 21% slower.").is_visible()
    assert await page.get_by_role("table", name="Targets").is_visible()
    assert await page.get_by_text("needs scripts, which do not run here").is_visible()
    assert 0 == await page.get_by_role("button").count()


async def test_the_list_of_prompts_is_not_printed_but_an_open_prompt_is(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    note, bar = page.locator(".printed"), page.locator("nav.bar")
    assert not await note.is_visible()
    await page.emulate_media(media="print")
    assert await note.is_visible()
    assert not await page.get_by_role("grid").is_visible()
    await page.evaluate("location.hash = 'prompt=lost'")
    await page.locator(".answer").first.wait_for()
    assert not await note.is_visible()
    assert not await bar.is_visible()
