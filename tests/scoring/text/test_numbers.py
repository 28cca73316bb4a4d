"""Numbers in prose: every notation in the table is read, and no text crashes the reader."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.text.numbers import TAIL, last_number, read_number
from tests.timing import assert_linear


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", "42"),
        ("**42**", "42"),
        ("_42_", "42"),
        ("$\\boxed{-7}$", "-7"),
        ("First 3, then 4, so 12.", "12"),
        ("118.40", "118.40"),
        ("118,40", "118.40"),
        ("0,125", "0.125"),
        ("3,14159", "3.14159"),
        ("1,234", "1234"),
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1.234.567", "1234567"),
        ("1.234", "1.234"),
        ("12,34,567.89", "1234567.89"),
        ("1’234’567", "1234567"),
        ("1_000_000", "1000000"),
        ("1\u00a0234,5", "1234.5"),
        ("1 234 567 km", "1234567"),
        ("rooms 12 345", "345"),
        ("1{,}234", "1234"),
        ("$1,234.50", "1234.50"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("€ 118,40", "118.40"),
        ("118.40 €", "118.40"),
        ("USD118.40", "118.40"),
        ("USD 118.40", "118.40"),
        ("50%", "50"),
        ("50 %", "50"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("+5", "5"),
        ("x=-5", "-5"),
        ("- 5 apples", "5"),
        ("10-5", "5"),
        ("5–7", "7"),
        ("2024-05-17", "17"),
        ("1.5e-3", "0.0015"),
        ("1.5E+3", "1500"),
        ("3 × 10^8", "300000000"),
        ("3×10⁻⁸", "0.00000003"),
        ("3 \\times 10^{8}", "300000000"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5kg", "5"),
        ("1,000,000.", "1000000"),
        ("3/4", "0.75"),
        ("\uff11\uff0f\uff12", "0.5"),
        ("-3/4", "-0.75"),
        ("**3/4** cup", "0.75"),
        ("1 3/4", "1.75"),
        ("1 1/2 cups", "1.5"),
        ("rooms 11 3/4", "11.75"),
        ("½", "0.5"),
        ("1½", "1.5"),
        ("−2¾", "-2.75"),
        ("3⁄4", "0.75"),
        ("$\\frac{3}{4}$", "0.75"),
        ("$-\\dfrac{3}{4}$", "-0.75"),
        ("2/6", "0.3333333333333333333333333333"),
        ("5/3", "1.666666666666666666666666667"),
        ("17/05/2024", "2024"),
        ("2024/05/17", "17"),
        ("84 / 4 = 21", "21"),
        ("144 / 12", "12"),
        ("1/0", "0"),
        ("12.5/4", "4"),
        ("1e5", "100000"),
        ("1 234,5", "1234.5"),
        ("-1\u202f234,5", "-1234.5"),
        ("1\u2007234", "1234"),
        ("US$1,234.50", "1234.50"),
        ("12.5\u00a0%", "12.5"),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "1234.5"),
        ("١٢", "12"),
        ("１２３", "123"),
    ],
)
def test_a_number_is_read_as_a_person_reads_it(text: str, expected: str) -> None:
    assert last_number(text) == Decimal(expected)


@pytest.mark.parametrize("text", ["", "none", "H2O", "CO2", "−", "$", ".", "∞", "NaN", "²", "1e9999"])
def test_a_text_without_a_number_has_none(text: str) -> None:
    assert last_number(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3/4", "0.75"), ("1 234,5", "1234.5"), ("50%", "50"), ("−5", "-5"), ("€ 118,40", "118.4"), ("1.234", "1.234"),
     ("1,234.50", "1234.5"), ("0,125", "0.125"), ("1,234,567", "1234567"), ("1.5e-3", "0.0015"), ("5 kg", "5")],
)  # fmt: skip
def test_an_author_may_use_the_same_notations_as_models(text: str, expected: str) -> None:
    assert read_number(text) == Decimal(expected)


def test_an_expected_text_without_a_number_is_reported() -> None:
    with pytest.raises(ValueError, match="no number in 'twelve'"):
        read_number("twelve")


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_crashes_the_reader(text: str) -> None:
    number = last_number(text)
    assert number is None or number.is_finite()


@given(st.text(st.sampled_from("0123456789.,-−'_ $€eExX×10^{}⁸\u00a0")))
def test_no_jumble_of_number_characters_crashes_the_reader(text: str) -> None:
    number = last_number(text)
    assert number is None or number.is_finite()


@given(
    number=st.decimals(min_value=-(10**12), max_value=10**12, places=2),
    style=st.sampled_from(["{:f}", "{:,f}", "${:,f}", "{:,f} USD", "**{:,f}**", "{:f}%"]),
    before=st.sampled_from(["", "The total of 3 items is ", "= ", "Answer:\n"]),
    after=st.sampled_from(["", ".", " in all.", "\n"]),
)
def test_a_number_survives_formatting_and_prose(number: Decimal, style: str, before: str, after: str) -> None:
    assert last_number(before + style.format(number) + after) == number


@pytest.mark.parametrize("piece", ["1,11", "9", "1.111", "1'111", " ", "-", "1 111 ", "$ ", "1e1", "× 10", "10^"])
def test_a_hostile_answer_of_a_million_characters_takes_no_longer_than_its_end(piece: str) -> None:
    def read(text: str) -> None:
        number = last_number(text)
        assert number is None or number.is_finite()

    assert_linear(read, *(piece * (length // len(piece)) for length in (TAIL // 10, TAIL)))
    assert_linear(read, *(piece * (length // len(piece)) for length in (TAIL, 100 * TAIL)))
