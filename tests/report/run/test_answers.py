"""How much of an answer a report shows."""

from harness.analysis.summary.samples import Answer
from harness.report.run.sections import MOST_CHARACTERS, run_report


def show(make_run, answer: str) -> str:
    answers = [Answer(target="t", prompt_id="p", answer=answer, passed=False)]
    (sample,) = next(
        each.samples for each in run_report(make_run(requests=5).summary, (), answers).sections if each.samples
    )
    ((_, shown),) = sample.answers
    return shown


def test_a_long_answer_is_cut_and_shows_its_length(make_run) -> None:
    assert "x" * MOST_CHARACTERS + "… (10,000 characters)" == show(make_run, "x" * 10_000)


def test_an_answer_keeps_its_lines_but_no_escape_sequence(make_run) -> None:
    assert "a\n  b�[2J" == show(make_run, "a\n  b\x1b[2J")
