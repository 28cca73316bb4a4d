"""Pages in a real browser: whatever a test does on one, it makes no request and leaves no message on the console."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from harness.analysis.answers.book import AnswerBook, AskedPrompt, BookArm, Cell, CheckResult, ReadAnswer, Turn, Vote
from harness.report.page import render_page
from harness.report.section import Column, Name, Note, Number, Report, Section, Table

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BASELINE, FAST, FAR = "claude-haiku-4-5/global/converse", "claude-sonnet-4-6/us/invoke", "claude-sonnet-4-6/eu/invoke"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests. HARNESS_REQUIRE_BROWSER=1 makes its absence a failure."""
    if CHROMIUM is None and not os.environ.get("HARNESS_REQUIRE_BROWSER"):
        pytest.skip("no Chromium here; HARNESS_REQUIRE_BROWSER=1 makes that a failure")
    assert CHROMIUM is not None, "HARNESS_REQUIRE_BROWSER is set and there is no Chromium"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture(scope="session")
def write_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Report], str]:
    """Writes a report's page and returns its address."""
    folder = tmp_path_factory.mktemp("pages")
    written: list[Path] = []

    def write(report: Report) -> str:
        written.append(folder / f"{len(written)}.html")
        written[-1].write_text(render_page(report), encoding="utf-8")
        return written[-1].as_uri()

    return write


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[Callable[..., Any]]:
    """Opens an address in a window of `width`; `**context` goes to the browser's context."""
    contexts = []
    asked: list[str] = []
    complaints: list[str] = []

    async def open_(url: str, address: str = "", *, width: int = 1280, **context: Any) -> Page:
        contexts.append(await browser.new_context(viewport={"width": width, "height": 900}, **context))
        page = await contexts[-1].new_page()
        page.set_default_timeout(5_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        await page.goto(url + address)
        return page

    yield open_
    for each in contexts:
        await each.close()
    assert [] == complaints
    assert [] == [url for url in asked if not url.startswith(("file://", "data:image/svg+xml"))]


def counted_cells(answers: list[ReadAnswer], times: int = 1) -> tuple[Cell, ...]:
    """The cells of these answers, as if there were `times` as many."""
    here: dict[tuple[int, int], list[ReadAnswer]] = {}
    for answer in answers:
        here.setdefault((answer.prompt, answer.arm), []).append(answer)
    return tuple(
        Cell(
            prompt=prompt,
            arm=arm,
            answers=times * len(given),
            passed=times * sum(a.passed is True for a in given),
            scored=times * sum(a.passed is not None for a in given),
            failed=times * sum(a.error_kind is not None for a in given),
        )
        for (prompt, arm), given in here.items()
    )


def make_answer(prompt: int, arm: int, repeat: int = 0, **facts: Any) -> ReadAnswer:
    """An answer that passed, unless `facts` say otherwise."""
    given: dict[str, Any] = {
        "request_id": f"{prompt}-{arm}-{repeat}",
        "passed": True,
        "text": "It left on Tuesday, by rail.",
        "checks": (CheckResult(scorer="exact", passed=facts.get("passed", True), value=1.0),),
        "stop_reason": "end_turn",
        "input_tokens": 118,
        "output_tokens": 1_042,
        "cost_usd": 0.0012,
        "queue_s": 0.002,
        "ttft_s": 0.412,
        "stream_s": 1.2,
    }
    return ReadAnswer(prompt=prompt, arm=arm, repeat=repeat, **{**given, **facts})


def make_prompt(name: str, **facts: Any) -> AskedPrompt:
    return AskedPrompt(id=name, **{"turns": (Turn(role="user", text=f"The question of {name}?"),), **facts})


def make_book(prompts: list[AskedPrompt], arms: list[BookArm], answers: list[ReadAnswer], **facts: Any) -> AnswerBook:
    given = {"cells": counted_cells(answers), "total": len(answers), "total_prompts": len(prompts), **facts}
    return AnswerBook(prompts=tuple(prompts), arms=tuple(arms), answers=tuple(answers), **given)


NOTE = Column(heading="note", is_text=True)
ARMS = [BookArm(target=BASELINE, baseline=True), BookArm(target=FAST, against=0), BookArm(target=FAR, against=0)]


def small_book() -> AnswerBook:
    """Six prompts that differ in all there is to filter by, three targets, two repeats."""
    prompts = [
        make_prompt("plain", tags=("facts",)),
        make_prompt("lost", tags=("facts", "long"), flip="worse", expect="by rail", checks=("exact", "regex: ^It left"),
                    group="shipping", attachments=("terms.pdf",),
                    turns=(Turn(role="system", text="Be brief."), Turn(role="user", text="When?"),
                           Turn(role="assistant", text="When what?"), Turn(role="user", text="The shipment."))),
        make_prompt("won", tags=("dates",), flip="better"),
        make_prompt("throttled", tags=("dates",)),
        make_prompt("judged", tags=("letters",)),
        make_prompt("unscored", tags=("letters",), expect="Zanzibar"),
    ]  # fmt: skip
    changes: dict[tuple[int, int], dict[str, Any]] = {
        (1, 1): {"passed": False, "text": "It left on Monday, by air.",
                 "checks": (CheckResult(scorer="exact", passed=False, value=0.0, reason="is not 'by rail'"),
                            CheckResult(scorer="regex", passed=True, value=1.0)),
                 "tools": ('{"name": "lookup"}',), "citations": ("terms.pdf, page 3",), "cache_read_tokens": 64,
                 "attempts": 3},
        (2, 0): {"passed": False, "cost_usd": 0.5},
        (3, 2): {"passed": False, "text": "", "checks": (), "error_kind": "throttled", "ttft_s": None,
                 "error_message": "Too many requests, please wait before trying again."},
        (4, 1): {"stream_s": 9.0, "checks": (CheckResult(scorer="judge", passed=True, value=0.85, reason="Polite."),),
                 "votes": (Vote(judge="strict", score=0.2, reason="Too long."), Vote(judge="kind", score=0.9))},
        (4, 2): {"checks": (CheckResult(scorer="pairwise", value=0.5, reason="the same answer"),)},
        (5, 1): {"passed": None, "checks": (CheckResult(scorer="judge", reason="the judge did not answer"),)},
    }  # fmt: skip
    answers = [
        make_answer(prompt, arm, repeat, **changes.get((prompt, arm), {}))
        for prompt in range(len(prompts))
        for arm in range(3)
        for repeat in range(2)
    ]
    return make_book(prompts, ARMS, answers)


def large_book(prompts: int = 250, targets: int = 8) -> AnswerBook:
    """Every 10th prompt of each target fails, every 50th is an error."""
    arms = [
        BookArm(target=f"claude-{at}/us/invoke", baseline=at == 0, against=0 if at else None) for at in range(targets)
    ]
    text = "It left on Tuesday, by rail. " * 20
    answers = [
        make_answer(prompt, arm, text=text, passed=(prompt + arm) % 10 != 0,
                    error_kind="timeout" if (prompt + arm) % 50 == 0 else None)
        for prompt in range(prompts) for arm in range(targets)
    ]  # fmt: skip
    return make_book([make_prompt(f"p-{at:03d}") for at in range(prompts)], arms, answers)


def book_report(book: AnswerBook) -> Report:
    """A verdict, a table and the prompt browser."""
    columns = [Column(heading="target"), Column(heading="TTFT p50", best="low"), Column(heading="n"), NOTE]
    rows = [
        (Name(BASELINE), Number(1.5, "s", 1.2, 1.9, True), 40, None),
        (Name(FAST), Number(0.7, "s"), 8, "warm"),
        (Name(FAR), None, 9, "cold"),
    ]
    return Report(
        title="quickstart",
        simulated=True,
        facts=("2026-11-27 01:46:44 UTC · 15.7 s",),
        sections=[
            Section(notes=[Note(label="Worse", tone="bad", text="TTFT p95 is 21% slower.")], layout="cards"),
            Section(title="Targets", table=Table(columns=columns, rows=rows)),
            Section(title="Prompts and answers", book=book),
            Section(title="What the numbers mean", notes=[Note(label="n", text="requests")] * 30, layout="terms"),
        ],
    )


@pytest.fixture(scope="session")
def small_page(write_page: Callable[[Report], str]) -> str:
    return write_page(book_report(small_book()))


@pytest.fixture(scope="session")
def large_page(write_page: Callable[[Report], str]) -> str:
    return write_page(book_report(large_book()))


@pytest.fixture(scope="session")
def books() -> Any:
    """The functions that make books, for tests that need one of their own."""

    class Books:
        answer, prompt, book, cells, report = make_answer, make_prompt, make_book, counted_cells, book_report
        arms = ARMS
        small, large = small_book, large_book

    return Books
