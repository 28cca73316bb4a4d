"""What models and suites write is text in the browser too, however long and whatever it looks like."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from harness.analysis.answers.book import BookArm, CheckResult

pytestmark = pytest.mark.asyncio(loop_scope="session")

ATTACKS = (
    "</script><script>document.title = 'taken'</script>",
    "<!-- <script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    '<a href="javascript:alert(1)">javascript:alert(1)</a>',
    "]]> &lt;b&gt; &amp; ${document.title = 'taken'} {{ 7 * 7 }}",
    "\x1b[2J\x1b]0;taken\x07 \x00 \u202etxet\u202c \u2066\u2028\u2029 \ud800",
    "עברית \u200f 日本語 \u3000👩\u200d🔬",
    "__proto__ constructor toString",
)
WROTE = " ".join(ATTACKS)


@pytest.fixture(scope="module")
def hostile_page(write_page: Any, books: Any) -> str:
    prompts = [
        books.prompt(
            f"{attack}#&=%", tags=(attack,), group=attack, expect=attack, checks=(attack,), attachments=(attack,)
        )
        for attack in ATTACKS
    ]
    arms = [BookArm(target=f"{attack}/x", system=attack) for attack in ATTACKS[:3]]
    answers = [
        books.answer(prompt, arm, text=WROTE, passed=False,
                     checks=(CheckResult(scorer=attack, passed=False, reason=WROTE),),
                     tools=(WROTE,), citations=(WROTE,), error_message=WROTE, stop_reason=WROTE)
        for prompt, attack in enumerate(ATTACKS) for arm in range(3)
    ]  # fmt: skip
    return write_page(books.report(books.book(prompts, arms, answers, notes=(WROTE,))))


async def test_an_attack_is_shown_runs_nothing_and_fits_the_screen(open_page: Any, hostile_page: str) -> None:
    for width in (390, 1280):
        page = await open_page(hostile_page, width=width)
        assert len(ATTACKS) == await page.locator(".map tbody tr").count()
        for row in range(len(ATTACKS)):
            await page.locator(f"[data-row='{row}'][data-column='0']").click()
            await page.locator(".answer").first.wait_for()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            await page.keyboard.press("Escape")
            await page.locator(".map").wait_for()
        assert "SIMULATED: quickstart" == await page.title()
        assert 0 == await page.locator("img").count()
        assert 2 == await page.locator("script").count()


async def test_every_prompt_has_an_address_whatever_its_id(open_page: Any, hostile_page: str) -> None:
    page = await open_page(hostile_page)
    for attack in (*ATTACKS[:5], *ATTACKS[6:]):
        await page.goto(f"{hostile_page}#prompt={quote(attack + '#&=%', safe='')}")
        await page.locator(".view h3", has_text=attack).wait_for()
        text = await page.locator(".answer pre").first.inner_text()
        assert ATTACKS[0] in text
        assert "\ufffd[2J" in text
        assert not {"\x1b", "\u202e", "\x00"} & set(text)
    await page.get_by_role("link", name="All prompts").click()
    await page.locator(".map").wait_for()


async def test_hostile_values_can_be_filtered_and_searched_for(open_page: Any, hostile_page: str) -> None:
    page = await open_page(hostile_page)
    for name in ("Tag", "Check"):
        await page.get_by_role("combobox", name=name).select_option(ATTACKS[0])
        assert 1 == await page.locator(".map tbody tr").count()
        await page.get_by_role("button", name="Clear filters").click()
    await page.get_by_role("searchbox").fill("<img src=x")
    assert len(ATTACKS) == await page.locator(".map tbody tr").count()


async def test_a_line_of_a_megabyte_is_cut_until_asked_for(open_page: Any, write_page: Any, books: Any) -> None:
    answers = [books.answer(0, arm, text="x" * 1_000_000) for arm in (0, 1)]
    url = write_page(books.report(books.book([books.prompt("p")], books.arms[:2], answers)))
    page = await open_page(url, "#prompt=p", width=390)
    assert 20_000 == len(await page.locator(".answer pre").first.inner_text())
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_role("button", name="Show more: 20,000 of 1,000,000 characters").first.click()
    assert 40_000 == await page.locator(".answer pre").first.evaluate("box => box.textContent.length")
