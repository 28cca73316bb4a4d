"""report.html is complete, self-contained, and safe against what a model writes."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from harness.analysis.answers.book import AnswerBook, AskedPrompt, BookArm, ReadAnswer, Turn
from harness.analysis.summary.summary import Winner
from harness.report.page import render_page
from harness.report.run.sections import run_report
from harness.report.section import Picture

PICTURES = [Picture(name="errors", title='4 of "160" failed', png=b"png", svg=b"<svg/>")]
HOSTILE = '</pre><script>alert(1)</script><img src=x onerror=alert(2)><style>*{}</style><a href="javascript:alert(3)">'


class Page(HTMLParser):
    """Tags with their attributes, and the text within style and script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.within = {"style": "", "script": ""}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.within:
            self.within[self.open[-1]] += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def hostile_page(make_run) -> str:
    book = AnswerBook(
        arms=(BookArm(target=HOSTILE),),
        prompts=(AskedPrompt(id=HOSTILE, turns=(Turn(role="user", text=HOSTILE),), expect=HOSTILE),),
        answers=(ReadAnswer(prompt=0, arm=0, request_id="1-0", passed=False, text=HOSTILE),),
        cells=(),
        total=1,
        total_prompts=1,
    )
    summary = make_run(names=[HOSTILE, "b\u202e\x1b"], suite=HOSTILE, run_id=HOSTILE, requests=5).summary
    return render_page(run_report(summary, PICTURES, book=book))


def test_the_page_is_well_formed(make_run) -> None:
    page = Page(render_page(run_report(make_run().summary, PICTURES)))
    assert page.open == []
    assert len(page.attributes("main")) == 1


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_allows_its_own_style_sheet_its_own_script_and_images_within_the_page_only(make_run) -> None:
    page = Page(render_page(run_report(make_run(requests=5).summary, PICTURES)))
    (policy,) = [meta["content"] for meta in page.attributes("meta") if "http-equiv" in meta]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(page.within['style'])}'; "
        f"script-src 'sha256-{digest(page.within['script'])}'; "
        "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_fetched_and_nothing_runs_but_the_script_of_the_page(hostile_page: str) -> None:
    page = Page(hostile_page)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.attributes("img"))
    assert all(re.fullmatch("#[a-z0-9-]+", link["href"]) for link in page.attributes("a"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert len(page.attributes("style")) == len(page.attributes("img")) == 1
    assert [{"type": "application/json", "id": "book"}, {}] == page.attributes("script")


def test_hostile_text_is_shown_and_invisible_characters_are_made_visible(hostile_page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in hostile_page
    assert "b��" in hostile_page
    assert "\u202e" not in hostile_page


def test_figures_are_embedded_with_alt_text(make_run) -> None:
    (image,) = Page(render_page(run_report(make_run(requests=5).summary, PICTURES))).attributes("img")
    assert image == {"src": "data:image/svg+xml;base64,PHN2Zy8+", "alt": '4 of "160" failed'}


def test_only_a_simulated_page_says_simulated(make_run) -> None:
    simulated = render_page(run_report(make_run(requests=5).summary, []))
    assert "<title>SIMULATED: quickstart" in simulated
    assert '<p class="simulated">' in simulated
    assert "SIMULATED" not in render_page(run_report(make_run(requests=5, simulated=False).summary, []))


def test_a_page_without_answers_has_no_section_for_them(make_run) -> None:
    assert '<section id="prompts"' not in render_page(run_report(make_run(requests=5).summary, []))


def test_a_run_without_leaders_findings_tags_or_success_has_a_page_too(make_run) -> None:
    summary = make_run(failure_rate=1.0, winners=[], findings=[], total_cost_usd=None).summary
    assert "total cost –" in render_page(run_report(summary, []))


def test_an_interrupted_run_is_not_valid(make_run) -> None:
    assert "This run is invalid" in render_page(run_report(make_run(state="interrupted").summary, []))
    assert "This run is invalid" not in render_page(run_report(make_run(requests=5).summary, []))


def test_each_error_kind_has_its_most_frequent_message(make_run) -> None:
    page = render_page(run_report(make_run(failure_rate=0.5).summary, []))
    assert "&lt;b&gt;throttled&lt;/b&gt; | slow down" in page
    assert "<b>throttled" not in page


def test_a_lead_is_clear_or_names_the_rivals_too_close_to_call(make_run) -> None:
    facts = {"metric": "TTFT p50", "target": "a/b", "value": 0.5, "unit": "s", "rivals": 2}
    winners = [Winner(**facts, clear=True), Winner(**facts, close=["<c>"], clear=False)]
    page = render_page(run_report(make_run(requests=5, winners=winners).summary, []))
    assert '<span class="mark good">clear</span>' in page
    assert "too close to call with &lt;c&gt;; clear of the others" in page


def test_a_run_without_a_measured_request_has_a_page_without_figures(make_run) -> None:
    assert '<section id="figures"' not in render_page(run_report(make_run(names=[]).summary, []))
