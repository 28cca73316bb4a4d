"""The short report, on a terminal and off one."""

import io
import re
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness.analysis.summary.summary import RunSummary, Winner
from harness.report.markdown import render_markdown
from harness.report.run.sections import run_brief, run_report
from harness.report.terminal import print_report
from harness.store.finding import Finding


def printed(summary: RunSummary, width: int, **console: object) -> str:
    out = io.StringIO()
    print_report(run_brief(summary), Console(file=out, width=width, **console), written=Path("results/r/report.html"))  # type: ignore[arg-type]
    return out.getvalue()


def table_of(text: str) -> list[str]:
    return text.split("\n\n")[1].splitlines()


def test_a_wide_terminal_shows_every_column_and_whole_names(make_run) -> None:
    heading, *rows = table_of(printed(make_run().summary, 130))
    assert heading.split("  ")[0] == "target"
    for column in ("n", "pass rate", "TTFT p50", "TTFT p95", "E2E p95", "tok/s", "errors", "$/1k"):
        assert column in heading
    assert [row.split()[0] for row in rows] == [t.target for t in make_run().summary.targets]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_narrow_terminal_drops_columns_and_cuts_no_number(make_run, width: int) -> None:
    text = printed(make_run().summary, width)
    rows = table_of(text)
    assert all(len(row.rstrip()) <= width for row in rows)
    assert "…" not in "".join(rows)
    assert "82.5% [68, 91]" in text


def test_eighty_characters_show_the_columns_that_matter_most(make_run) -> None:
    heading = table_of(printed(make_run().summary, 80))[0]
    assert heading.split() == ["target", "n", "pass", "rate", "TTFT", "p50", "E2E", "p95", "errors", "$/1k"]


def test_off_a_terminal_there_is_no_escape_sequence(make_run) -> None:
    assert "\x1b" not in printed(make_run().summary, 80)


def test_no_color_is_respected(make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for value in ("", "1"):  # an empty value counts as unset
        monkeypatch.setenv("NO_COLOR", value)
        text = printed(make_run(state="failed").summary, 80, force_terminal=True)
        assert bool(value) == (re.search(r"\x1b\[[0-9;]*3[0-7]", text) is None)


def test_markup_and_escape_sequences_in_names_are_shown_as_text(make_run) -> None:
    summary = make_run(names=["[red]x[/red]\x1b[2J", "[/]"], requests=5).summary
    text = printed(summary, 120)
    assert "[red]x[/red]�[2J" in text
    assert "[/]" in text


def test_a_lead_within_the_noise_is_too_close_to_call(make_run) -> None:
    winners = [
        Winner(
            metric="pass rate", target="a", value=0.9, unit="share", clear=False, rivals=1, close=["b"], tied_with=["b"]
        ),
        Winner(metric="TTFT p50", target="b", value=0.5, unit="s", rivals=1, clear=True),
        Winner(metric="E2E p95", target="b", value=1.5, unit="s", rivals=2, close=["a\x1b"], clear=False),
    ]
    lines = printed(make_run(requests=5, winners=winners).summary, 80).splitlines()
    assert "  pass rate  a = b  90.0%  too close to call" in lines
    assert "  TTFT p50   b  0.500 s  clear" in lines
    assert "  E2E p95    b  1.50 s  too close to call with a�; clear of the others" in lines


def test_sixty_characters_show_n_and_errors(make_run) -> None:
    heading = table_of(printed(make_run().summary, 60))[0]
    assert heading.split() == ["target", "n", "pass", "rate", "TTFT", "p50", "errors"]


def test_a_load_test_has_no_pass_rate(make_run) -> None:
    summary = make_run(requests=5).summary
    targets = [msgspec.structs.replace(t, scored=0, passed=0, pass_rate=None) for t in summary.targets]
    ungraded = msgspec.structs.replace(summary, targets=targets)
    assert "pass rate" not in table_of(printed(ungraded, 130))[0]
    assert (
        "pass rate"
        not in render_markdown(run_report(ungraded, [])).split("## What")[0].split("## Targets")[1].split("##")[0]
    )


def test_findings_have_their_remedy_and_the_report_comes_last(make_run) -> None:
    findings = [Finding(what="the client was the bottleneck", remedy="lower the rate", invalidates=True)]
    _, invalid, *_, finding, report = printed(make_run(requests=5, findings=findings).summary, 80).splitlines()
    assert invalid == "INVALID: This run is invalid (state: complete). See the findings."
    assert finding == "Invalid: the client was the bottleneck; lower the rate"
    assert report == "Report: results/r/report.html"


def test_only_a_simulated_run_says_simulated(make_run) -> None:
    assert "SIMULATED: answered by a stand-in on this machine, not by Amazon Bedrock" in printed(
        make_run(requests=5).summary, 80
    )
    assert "SIMULATED" not in printed(make_run(requests=5, simulated=False).summary, 80)


def test_the_effect_of_retries_on_latency_is_shown_if_there_were_any(make_run) -> None:
    summary = make_run().summary
    first, *others = summary.targets
    assert "retried" not in printed(summary, 120)
    assert "p95 of the attempt" not in render_markdown(run_report(summary, []))
    waited = msgspec.structs.replace(first.e2e_s, n=7)
    retried = msgspec.structs.replace(first, backoff_s=waited, attempt_e2e_s=first.ttft_s)
    again = msgspec.structs.replace(summary, targets=[retried, *others])
    [line] = [line for line in printed(again, 400).splitlines() if "retried" in line]
    assert line.startswith(f"{first.target}: 7 of {first.requests} requests were retried, after a")
    assert "| E2E p95 of the attempt |" in render_markdown(run_report(again, []))


def test_sentences_are_wrapped_on_a_terminal_only(make_run) -> None:
    findings = [Finding(what="the client was the bottleneck " * 4, remedy="lower the rate", invalidates=True)]
    summary = make_run(requests=5, findings=findings).summary
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed(summary, 60, force_terminal=True)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Invalid: the client"))
    assert all(len(line) <= 60 for line in lines)
    assert lines[start + 1].startswith("  ")
    assert "bottleneck; lower the rate" in printed(summary, 60)
