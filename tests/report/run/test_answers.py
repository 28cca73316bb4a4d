"""How much of an answer a report shows."""

from harness.analysis.summary.samples import Answer
from harness.report.run.answers import MOST_CHARACTERS, bound


def show(answer: str) -> str:
    (shown,) = bound([Answer(target="t", prompt_id="p", answer=answer, passed=False)])
    return shown.answer


def test_a_long_answer_is_cut_and_says_how_long_it_was() -> None:
    assert "x" * MOST_CHARACTERS + "… (10,000 characters)" == show("x" * 10_000)


def test_an_answer_keeps_its_lines_but_no_escape_sequence() -> None:
    assert "a\n  b�[2J" == show("a\n  b\x1b[2J")
