"""The list of prompts: filters, search, the heat map, keys and addresses."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def listed(page: Any) -> list[str]:
    """The ids of the prompts on the page of the list that is shown."""
    return await page.locator(".map tbody a").all_inner_texts()


async def status(page: Any) -> str:
    return await page.get_by_role("status").inner_text()


FILTERS = (
    ("Outcome", "failed", ["lost", "won"], 4),
    ("Outcome", "error", ["throttled"], 2),
    ("Outcome", "not scored", ["unscored"], 2),
    ("Changed", "worse", ["lost"], 6),
    ("Changed", "better", ["won"], 6),
    ("Target", "claude-sonnet-4-6/us/invoke", ["plain", "lost", "won", "throttled", "judged", "unscored"], 12),
    ("Tag", "dates", ["won", "throttled"], 12),
    ("Check", "regex", ["lost"], 2),
    ("Error", "throttled", ["throttled"], 2),
    ("Judge", "pass, or preferred", ["judged"], 2),
    ("Judge", "tie", ["judged"], 2),
    ("Judge", "no verdict", ["unscored"], 2),
    ("Judge", "judges disagree", ["judged"], 2),
)


async def test_each_filter_leaves_the_prompts_that_have_such_an_answer(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    for name, choice, found, answers in FILTERS:
        assert "6 prompts, 36 answers" == await status(page)
        await page.get_by_role("combobox", name=name).select_option(choice)
        counted = f"{len(found)} of 6 prompts, {answers} of 36 answers"
        assert (name, choice, found, counted) == (name, choice, await listed(page), await status(page))
        await page.get_by_role("button", name="Clear filters").click()


async def test_filters_are_part_of_the_address(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    await page.get_by_role("combobox", name="Tag").select_option("facts")
    await page.get_by_role("combobox", name="Outcome").select_option("failed")
    assert page.url.endswith("#tag=facts&outcome=fail")
    await page.reload()
    assert ["lost"] == await listed(page)
    assert "facts" == await page.get_by_role("combobox", name="Tag").input_value()


async def test_filters_of_answers_hold_for_one_and_the_same_answer(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    await page.get_by_role("combobox", name="Target").select_option("claude-sonnet-4-6/us/invoke")
    await page.get_by_role("combobox", name="Outcome").select_option("failed")
    assert ["lost"] == await listed(page)
    await page.get_by_role("combobox", name="Check").select_option("regex")
    assert [] == await listed(page)
    assert await page.get_by_text("No prompt matches.").is_visible()


SEARCHES = {
    "question of PLAIN": ["plain"],
    "zanzibar": ["unscored"],
    "on monday": ["lost"],
    "is not 'by rail'": ["lost"],
    "too long": ["judged"],
    "before trying again": ["throttled"],
    "terms.pdf": ["lost"],
    "<b>": [],
}


async def test_the_search_reads_questions_expected_answers_answers_reasons_and_errors(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page)
    for searched, found in SEARCHES.items():
        await page.get_by_role("searchbox").fill(searched)
        assert (searched, found) == (searched, await listed(page))


async def test_a_cell_says_in_words_what_it_shows_and_leads_to_the_answer(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    cells = page.locator(".cell")
    assert 18 == await cells.count()
    await page.get_by_role("button", name="lost, claude-sonnet-4-6/us/invoke: 0 of 2 passed").click()
    assert page.url.endswith("#prompt=lost&answer=1.0")
    assert "claude-sonnet-4-6/us/invoke, repeat 1: failed" == await page.locator(".chosen").get_attribute("aria-label")


async def test_failures_and_errors_differ_by_more_than_their_colour(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    rows = await page.locator(".map tbody tr").all()
    texts = [await row.locator(".cell").all_inner_texts() for row in rows]
    assert [["2/2"] * 3, ["2/2", "0/2", "2/2"], ["0/2", "2/2", "2/2"], ["2/2", "2/2", "2 err"]] == texts[:4]
    assert ["2/2", "–", "2/2"] == texts[5]


async def test_the_list_is_used_by_keyboard_alone(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    focused = "document.activeElement.dataset.row + '.' + document.activeElement.dataset.column"
    await page.keyboard.press("/")
    await page.keyboard.type("it left")
    assert "6 of 6 prompts, 34 of 36 answers" == await status(page)
    await page.keyboard.press("Escape")
    keys = {"j": "0.0", "ArrowDown": "1.0", "k": "0.0", "ArrowRight": "0.1", "ArrowUp": "0.1", "ArrowLeft": "0.0"}
    for key, place in (*keys.items(), ("j", "1.0")):
        await page.keyboard.press(key)
        assert place == await page.evaluate(focused)
    assert 1 == await page.locator(".map [tabindex='0']").count()
    await page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="lost")
    await heading.wait_for()
    assert await heading.evaluate("heading => heading === document.activeElement")
    await page.keyboard.press("j")
    await page.get_by_role("heading", name="won").wait_for()
    await page.keyboard.press("k")
    await page.keyboard.press("Escape")
    await page.get_by_role("grid").wait_for()
    assert "1.0" == await page.evaluate(focused)
    assert page.url.endswith("#q=it%20left")


async def test_keys_with_a_modifier_or_in_a_field_stay_the_readers_own(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    await page.keyboard.press("Alt+j")
    assert "BODY" == await page.evaluate("document.activeElement.tagName")
    await page.get_by_role("searchbox").fill("j")
    await page.get_by_role("searchbox").press("k")
    assert "jk" == await page.get_by_role("searchbox").input_value()


async def test_the_back_button_leads_from_prompt_to_prompt_and_to_the_list_as_it_was(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page)
    await page.get_by_role("combobox", name="Tag").select_option("dates")
    await page.get_by_role("link", name="won").click()
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("heading", name="throttled").wait_for()
    assert await page.get_by_role("button", name="Next").is_disabled()
    await page.go_back()
    await page.get_by_role("heading", name="won").wait_for()
    await page.go_back()
    await page.get_by_role("grid").wait_for()
    assert ["won", "throttled"] == await listed(page)


async def test_an_address_may_name_a_prompt_that_the_report_does_not_have(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page, "#prompt=%3Cb%3Egone")
    assert await page.get_by_text("This report has no prompt <b>gone").is_visible()
    await page.get_by_role("link", name="Show all prompts").click()
    assert 6 == len(await listed(page))


async def test_the_list_has_orders_to_look_for_trouble_in(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page)
    for order, first in (
        ("fewest passed first", "lost"),
        ("targets disagree most", "lost"),
        ("slowest first", "judged"),
        ("costliest first", "won"),
        ("as in the suite", "plain"),
    ):
        await page.get_by_role("combobox", name="Order").select_option(order)
        assert (order, first) == (order, (await listed(page))[0])


async def test_a_long_list_has_pages_which_keys_cross(open_page: Any, large_page: str) -> None:
    page = await open_page(large_page)
    assert "250 prompts, 2,000 answers" == await status(page)
    assert 50 == len(await listed(page))
    await page.get_by_role("button", name="Next").click()
    assert await page.get_by_text("Page 2 of 5").is_visible()
    assert ["p-050", "p-051"] == (await listed(page))[:2]
    await page.get_by_role("link", name="p-050").focus()
    await page.keyboard.press("k")
    assert "p-049" == await page.evaluate("document.activeElement.textContent")
    assert await page.get_by_text("Page 1 of 5").is_visible()
