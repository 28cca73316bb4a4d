"""Addresses within a page are unique, the same in every report, and safe whatever a title or an id holds."""

from __future__ import annotations

from urllib.parse import unquote

from harness.report.html.outline import outline, prompt_address
from harness.report.section import Section


def ids(*titles: str) -> list[str]:
    return [part.id for part in outline([Section(title=title) for title in titles])]


def test_a_section_is_addressed_by_its_title() -> None:
    assert ["who-leads", "load-tokens-and-cost"] == ids("Who leads", "Load, tokens and cost")


def test_no_two_sections_share_an_address() -> None:
    assert ["a", "a-2", "a-3", "part", "part-2"] == ids("a", "A", "a!", "日本", "<>")
    assert ["a-2", "a", "a-3"] == ids("a 2", "a", "A")
    assert ["browser-2"] == ids("Browser")


def test_the_first_section_without_a_title_is_the_verdict_and_others_belong_to_the_one_before() -> None:
    parts = outline([Section(text="x"), Section(title="All"), Section(text="y")])
    assert [("verdict", "Verdict"), ("all", "All"), ("part", "All")] == [(part.id, part.label) for part in parts]


def test_a_prompt_is_addressed_by_its_visible_id() -> None:
    assert "#prompt=a%20b%23%26%3D%25%2F" == prompt_address("a b#&=%/")
    assert "#prompt=a\ufffdb" == unquote(prompt_address("a\x1bb"))
