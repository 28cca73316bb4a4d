"""report.md is complete and safe against hostile names."""

import re

import pytest

from harness.analysis.summary.summary import Winner
from harness.report.markdown import escape, render_markdown
from harness.report.run.sections import run_report
from harness.report.section import Picture

PICTURES = [Picture(name="errors", title="4 of 160 [requests] failed", png=b"", svg=b"")]


def cells(line: str) -> int:
    return line.replace("\\|", "").count("|") - 1


def test_markup_html_and_formulas_are_shown_as_they_are() -> None:
    assert escape("a|b `c` *d* _e_ <b>&[x](y) $f$ ![i]\n# g \\") == (
        "a\\|b \\`c\\` \\*d\\* \\_e\\_ &lt;b&gt;&amp;\\[x\\](y) \\$f\\$ \\!\\[i\\] \\# g \\\\"
    )


@pytest.mark.parametrize(
    "text",
    ["@everyone", "see https://evil.example/x", "http://a.b", "ftp://a.b", "WWW.evil.example", "a@b.example", "#12"],
)
def test_plain_text_becomes_neither_link_nor_mention(text: str) -> None:
    """GitHub turns bare URLs and issue numbers into links, and notifies everyone mentioned."""
    written = escape(text)
    assert not re.search(r"://|www\.|[@#]\w", written.replace("\\", ""), re.IGNORECASE)
    assert text == written.replace("\u2060", "").replace("\\", "")


def test_the_report_has_every_section_and_links_its_pictures(make_run) -> None:
    text = render_markdown(run_report(make_run().summary, PICTURES))
    headings = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Who leads",
        "Findings",
        "Targets",
        "Global or regional",
        "Figures",
        "Load, tokens and cost",
        "Errors",
        "Pass rate by tag",
        "What the numbers mean",
    ]
    assert "![4 of 160 \\[requests\\] failed](plots/errors.png)" in text


def test_only_a_simulated_run_has_the_banner(make_run) -> None:
    text = render_markdown(run_report(make_run(requests=5).summary, []))
    assert "> **SIMULATED: answered by a stand-in on this machine, not by Amazon Bedrock.**" in text
    assert "SIMULATED" not in render_markdown(run_report(make_run(requests=5, simulated=False).summary, []))


def test_an_interrupted_run_is_not_valid(make_run) -> None:
    assert "INVALID: This run is invalid (state: interrupted)" in render_markdown(
        run_report(make_run(state="interrupted").summary, [])
    )


def test_a_run_without_a_failed_attempt_says_so(make_run) -> None:
    assert "No attempt failed." in render_markdown(run_report(make_run(failure_rate=0.0).summary, []))


def test_each_error_kind_has_its_most_frequent_message(make_run) -> None:
    text = render_markdown(run_report(make_run(failure_rate=0.5).summary, []))
    assert "| target | kind | failed attempts | most frequent message |" in text
    assert "&lt;b&gt;throttled&lt;/b&gt; \\| slow down" in text


def test_a_lead_names_the_rivals_too_close_to_call(make_run) -> None:
    facts = {"metric": "TTFT p50", "target": "a", "value": 0.5, "unit": "s", "rivals": 2}
    winners = [Winner(**facts, close=["b"], clear=False), Winner(**facts, clear=True)]
    text = render_markdown(run_report(make_run(requests=5, winners=winners).summary, []))
    assert "| TTFT p50 | a | 0.500 s | too close to call with b; clear of the others |" in text
    assert "| TTFT p50 | a | 0.500 s | clear |" in text


def test_without_pictures_there_is_no_section_for_them(make_run) -> None:
    assert "## Figures" not in render_markdown(run_report(make_run(names=[]).summary, []))


def test_hostile_names_break_no_table_and_start_no_html(make_run) -> None:
    names = ["a|b|c/</th>|", "<img src=x onerror=alert(1)>", "`|`\n| x |"]
    text = render_markdown(run_report(make_run(names=names, suite="<script>|", requests=5).summary, PICTURES))
    assert "<script" not in text
    assert "<img" not in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({cells(line) for line in block.splitlines()}) == 1


def test_the_methods_name_the_level_and_the_samples_that_a_p99_needs(make_run) -> None:
    text = render_markdown(run_report(make_run(requests=5, level=0.9).summary, []))
    assert "90% Wilson interval" in text
    assert "a p99 n ≥ 299" in text


def test_global_and_regional_are_compared_in_a_sentence(make_run) -> None:
    text = render_markdown(run_report(make_run(failure_rate=0.0).summary, PICTURES))
    assert "- claude-haiku-4-5: us costs 10% more than global (\\$" in text
    assert "(too close to call); E2E p95 " in text
    assert "; answered 40 of 40 against 40 of 40" in text
