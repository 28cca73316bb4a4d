"""axe-core, the checker of accessibility rules, finds nothing serious on any view."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from harness.analysis.answers.book import BookArm

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SERIOUS = """
async () => (await axe.run()).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .map(found => `${found.id}: ${found.nodes[0].html} ${found.nodes[0].failureSummary}`)
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_serious_is_found(open_page: Any, small_page: str, scheme: str) -> None:
    page = await open_page(small_page, color_scheme=scheme, bypass_csp=True)
    await page.evaluate(AXE)
    for address in ("#", "#prompt=lost&answer=1.0", "#outcome=fail", "#prompt=gone", "#q=nothing"):
        await page.goto(small_page + address)
        assert (address, []) == (address, await page.evaluate(SERIOUS))


async def test_nothing_serious_is_found_on_a_page_with_errors_only_many_targets_or_2_000_answers(
    open_page: Any, write_page: Any, large_page: str, books: Any
) -> None:
    arms = [BookArm(target=f"claude-{at}/us/converse") for at in range(12)]
    answers = [
        books.answer(prompt, arm, passed=None, text="", checks=(), error_kind="throttled", error_message="Slow down.")
        for prompt in (0, 1) for arm in range(12)
    ]  # fmt: skip
    errors = write_page(books.report(books.book([books.prompt("p"), books.prompt("q")], arms, answers)))
    for url, address, width in ((errors, "", 1280), (errors, "#prompt=q", 390), (large_page, "", 390)):
        page = await open_page(url, address, width=width, bypass_csp=True)
        await page.evaluate(AXE)
        assert [] == await page.evaluate(SERIOUS)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
