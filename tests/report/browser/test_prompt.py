"""One prompt: its question, its answers side by side, and the difference between two of them."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

EDITS = """
[...document.querySelectorAll(".difference del, .difference ins")].map(edit => [edit.tagName, edit.childNodes[1].data])
"""
WORDS = """
[...document.querySelector(".difference pre").childNodes]
    .map(part => [part.tagName || "", part.data || part.childNodes[1].data])
"""


async def lines(page: Any, selector: str) -> str:
    return "\n".join(await page.locator(selector).all_inner_texts())


async def test_a_prompt_has_its_whole_question_and_what_it_is_checked_for(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page, "#prompt=lost")
    asked = await lines(page, ".asked")
    for text in ("Be brief.", "When?", "When what?", "The shipment.", "by rail", "regex: ^It left", "terms.pdf"):
        assert text in asked
    assert ["system", "user", "assistant", "user"] == await page.locator(".asked > :first-child h4").all_inner_texts()
    assert "4 of 6 answers passed · group shipping · tags: facts, long" in await lines(page, ".view > .facts")


async def test_an_answer_has_its_checks_reasons_tools_citations_tokens_cost_and_times(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page, "#prompt=lost&answer=1.0")
    answer = page.locator(".chosen")
    for summary in await answer.locator("summary").all():
        await summary.click()
    text = await answer.inner_text()
    for part in ("It left on Monday, by air.", "✗failed exact", "is not 'by rail'", "✓passed regex",
                 '{"name": "lookup"}', "terms.pdf, page 3", "queue 2.00 ms · TTFT 412 ms · stream 1.20 s",
                 "tokens: 118 in, 1,042 out, 64 cache read · $0.00120 · stop: end_turn · 3 attempts"):  # fmt: skip
        assert part in text.replace("\n", "")
    assert 3 == await answer.locator(".strip span").count()


async def test_an_error_and_every_judges_vote_are_shown(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page, "#prompt=throttled&answer=2.0")
    assert "error: throttled" in await lines(page, ".chosen")
    assert "Too many requests, please wait before trying again." in await lines(page, ".chosen")
    await page.evaluate("location.hash = 'prompt=judged&answer=1.0'")
    await page.locator(".chosen summary").click()
    assert "strict 0.20 Too long." in await lines(page, ".chosen")


async def test_targets_stand_side_by_side_and_on_a_phone_below_each_other(open_page: Any, small_page: str) -> None:
    for width, columns in ((1280, 3), (390, 1)):
        page = await open_page(small_page, "#prompt=lost", width=width)
        boxes = [await each.bounding_box() for each in await page.locator(".answer").all()]
        assert columns == len({round(box["x"]) for box in boxes if box})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_difference_is_between_the_baseline_and_a_target_that_lost_and_any_two_can_be_chosen(
    open_page: Any, small_page: str
) -> None:
    page = await open_page(small_page, "#prompt=lost")
    assert [["DEL", "Tuesday"], ["INS", "Monday"], ["DEL", "rail"], ["INS", "air"]] == await page.evaluate(EDITS)
    assert "removed: Tuesday" in (await page.locator(".difference del").first.text_content() or "")
    await page.get_by_role("combobox", name="Difference to").select_option(
        "claude-sonnet-4-6/eu/invoke, repeat 1: passed"
    )
    assert await page.get_by_text("The answers are the same.").is_visible()
    assert page.url.endswith("#prompt=lost&a=0.0&b=2.0")
    await page.get_by_role("combobox", name="Difference from").select_option(
        "claude-sonnet-4-6/us/invoke, repeat 2: failed"
    )
    assert [["DEL", "Monday"], ["INS", "Tuesday"], ["DEL", "air"], ["INS", "rail"]] == await page.evaluate(EDITS)


PAIRS = (
    ("a b c a b b a", "c b a b a c", ["a b", "b", "b", "c"]),
    ("It costs 118.40 euros", "It costs 119.40 euros", ["118.40", "119.40"]),
    ("東京は雨です", "東京は晴れです", ["雨", "晴れ"]),
    ("one", "two", ["one", "two"]),
    ("one two", "zero one two three", ["zero", "three"]),
)


async def test_the_difference_is_a_shortest_one_and_holds_both_answers(
    open_page: Any, write_page: Any, books: Any
) -> None:
    answers = [books.answer(p, arm, text=PAIRS[p][arm]) for p in range(len(PAIRS)) for arm in (0, 1)]
    prompts = [books.prompt(f"p{at}") for at in range(len(PAIRS))]
    page = await open_page(write_page(books.report(books.book(prompts, books.arms[:2], answers))), "#prompt=p0")
    for left, right, edits in PAIRS:
        words = await page.evaluate(WORDS)
        assert left.split() == "".join(text for kind, text in words if kind != "INS").split()
        assert right.split() == "".join(text for kind, text in words if kind != "DEL").split()
        assert edits == [text.strip() for kind, text in words if kind]
        await page.keyboard.press("j")


async def test_white_space_is_no_difference_and_a_long_rewrite_is_shown_as_one(
    open_page: Any, write_page: Any, books: Any
) -> None:
    texts = ["a\n b", "a b", "left " * 5_000, " ".join(f"right{at}" for at in range(5_000))]
    answers = [books.answer(prompt, arm, text=texts[2 * prompt + arm]) for prompt in (0, 1) for arm in (0, 1)]
    url = write_page(books.report(books.book([books.prompt("p"), books.prompt("q")], books.arms[:2], answers)))
    page = await open_page(url, "#prompt=p")
    assert await page.get_by_text("The words are the same; only white space differs.").is_visible()
    await page.keyboard.press("j")
    await page.get_by_role("heading", name="q", exact=True).wait_for()
    assert ["DEL", "INS"] == [kind for kind, _ in await page.evaluate(EDITS)]


async def test_filters_narrow_the_answers_of_a_prompt_too(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page, "#prompt=lost&outcome=fail")
    assert await page.get_by_role("heading", name="Answers: 2 of 6 match the filters").is_visible()
    assert 2 == await page.locator(".answer").count()


async def test_a_word_searched_for_is_marked_in_the_answers(open_page: Any, small_page: str) -> None:
    page = await open_page(small_page, "#prompt=lost&q=monday")
    assert {"Monday"} == set(await page.locator(".answer mark").all_inner_texts())


async def test_a_text_that_scrolls_can_be_reached_by_keyboard_and_has_a_name(
    open_page: Any, write_page: Any, books: Any
) -> None:
    answers = [books.answer(0, 0, text="short"), books.answer(0, 1, text="long\n" * 100)]
    url = write_page(books.report(books.book([books.prompt("p")], books.arms[:2], answers)))
    page = await open_page(url, "#prompt=p")
    boxes = await page.locator(".answer pre").all()
    assert ["short", "long\n" * 100] == [await box.text_content() for box in boxes]
    assert [None, "region"] == [await box.get_attribute("role") for box in boxes]
    assert [None, "Answer"] == [await box.get_attribute("aria-label") for box in boxes]
    assert [None, "0"] == [await box.get_attribute("tabindex") for box in boxes]


async def test_many_answers_to_one_prompt_come_in_portions(open_page: Any, write_page: Any, books: Any) -> None:
    answers = [books.answer(0, 0, repeat) for repeat in range(2_000)]
    page = await open_page(
        write_page(books.report(books.book([books.prompt("p")], books.arms[:1], answers))), "#prompt=p"
    )
    assert 48 == await page.locator(".answer").count()
    await page.get_by_role("button", name="Show more: 48 of 2,000 answers").click()
    assert 96 == await page.locator(".answer").count()


async def test_a_sample_says_so_and_names_the_command_that_lists_the_rest(
    open_page: Any, write_page: Any, books: Any
) -> None:
    answers = books.small().answers
    book = books.book(
        list(books.small().prompts), books.arms, list(answers), cells=books.cells(list(answers), 2_777), total=100_000,
        total_prompts=9_000, sampled="36 of 100,000 answers are shown: 2 at random.",
        query='harness query "SELECT 1" --run \'a b\'', notes=("The texts of 7 answers were not stored.",),
    )  # fmt: skip
    page = await open_page(write_page(books.report(book)))
    notice = await page.locator(".browser > div.notice").inner_text()
    for part in ("36 of 100,000 answers are shown", "6 of 9,000 prompts are listed", "7 answers were not stored",
                 'harness query "SELECT 1" --run \'a b\''):  # fmt: skip
        assert part in notice
    assert "5,554/5,554" == await page.locator(".cell").first.inner_text()
    await page.get_by_role("link", name="plain").click()
    assert "6 of 16,662 answers shown" in await lines(page, ".view > .facts")
