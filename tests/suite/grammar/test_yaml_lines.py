"""YAML with lines: what scalars mean, where values are, and that hostile files end in a message."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.grammar.yaml_lines import MAX_DEPTH, YamlMistake, read_yaml


def value_of(text: str):
    document, _ = read_yaml(text, name="x.yaml")
    return document.root.value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("10:30", "10:30"),
        ("0123", "0123"),
        ("0x1f", "0x1f"),
        ("2024-05-17", "2024-05-17"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("<<", "<<"),
        ("42", 42),
        ("-1.50", -1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("'42'", "42"),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", 2.0**63),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(written: str, value: object) -> None:
    found = value_of(f"k: {written}")["k"]
    assert (value, type(value)) == (found, type(found))


def test_every_value_knows_its_line_and_its_source_text() -> None:
    document, _ = read_yaml("a: 1\nb:\n  - x\n  - c: 1.50\n", name="x.yaml")
    assert [1, 2, 3, 4, 4] == [
        document.line_of(path) for path in [("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "gone", 7)]
    ]
    assert document.written(("b", 1, "c")) == "1.50"
    assert document.written(("b",)) is None
    assert document.written(("b", 9)) is None


def test_an_alias_stands_for_what_it_names() -> None:
    assert {"a": [1, 2], "b": [1, 2]} == value_of("a: &x [1, 2]\nb: *x")


def test_duplicate_keys_are_reported_with_both_lines() -> None:
    _, duplicates = read_yaml("a: 1\nb: 2\na: 3\nb: 4", name="x.yaml")
    assert duplicates == [
        (3, "key 'a' is already on line 1; drop one"),
        (4, "key 'b' is already on line 2; drop one"),
    ]


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (LAUGHS, 6, "more than 500,000 values"),
        ("a: !!python/object/apply:os.system [ls]", 1, "the tag !!python/object/apply:os.system is not allowed"),
        ("a: 1\nb: !secret x", 2, "the tag !secret is not allowed"),
        ("a: &x [*x]", 1, "*x is inside &x, so it would never end"),
        ("a: *x", 1, "*x"),
        ("[" * 100, 1, f"nested more than {MAX_DEPTH} deep"),
        ("- " * 10_000, 1, f"nested more than {MAX_DEPTH} deep"),
        ("{" * 100, 1, "a key must be plain text"),
        ("? [a]\n: b", 1, "a key must be plain text"),
        ("a: 1\n---\nb: 2", 2, "a second document starts here"),
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("a: 1\nb: [1, 2\nc: 3", 3, "not YAML"),
        ("a: 1\nb: \x01", 2, "not YAML"),
        ("a: 1e999", 1, "the number 1e999 is too large"),
        ("\t- a", 1, "not YAML"),
    ],
    ids=range(16),
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(YamlMistake) as caught:
        read_yaml(text, name="x.yaml")
    assert told in caught.value.message
    assert line == caught.value.line


@pytest.mark.parametrize("opening", ["[", "{"])
def test_brackets_without_end_are_refused(opening: str) -> None:
    """PyYAML from 6.0.4 on refuses them with a limit of its own."""
    with pytest.raises(YamlMistake) as caught:
        read_yaml(opening * 100_000, name="x.yaml")
    assert 1 == caught.value.line


@given(st.text(alphabet="ab:- \n[]{}&*!|>'\"#,?%@`\t\\0", max_size=60))
def test_no_text_ends_in_anything_but_a_value_or_a_mistake(text: str) -> None:
    with suppress(YamlMistake):
        read_yaml(text, name="x.yaml")
