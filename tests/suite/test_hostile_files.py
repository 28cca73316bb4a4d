"""Suites and the files beside them, written by whoever means harm or slipped: a mistake with file and line, always."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.running.overrides import load_checked
from harness.errors import SuiteError
from harness.suite import prompts
from harness.suite.grammar.patterns import PatternError, compile_pattern
from harness.suite.loader import load_suite
from harness.suite.read.documents import read_document
from harness.suite.stored import encode_suite, read_suite
from harness.suite.suite import Attachment

TARGETS = "suite: demo\ntargets: [{model: claude-haiku-4-5, routing: global}]\n"
ASKED = TARGETS + "prompts:\n  - {id: a, prompt: Hi, CHECKS}\n"
DEEP = '{"a":' * 5000 + "1" + "}" * 5000
NESTED = '{"not":' * 300 + "{}" + "}" * 300


def told(folder: Path, suite: str | bytes, **files: str | bytes) -> str:
    """The mistakes, files named relative to the suite's folder; each has a line, and no more than a screen can hold."""
    for name, content in {"x.yaml": suite, **{name.replace("_", "."): text for name, text in files.items()}}.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SuiteError) as caught:
        load_checked(folder / "x.yaml")
    lines = [each.replace(f"{folder}/", "") for each in caught.value.mistakes]
    assert [] == [line for line in lines if not re.match(r"[^:\n]+:[1-9]\d*: .{1,2100}\Z", line)]
    return "\n".join(lines)


@pytest.mark.parametrize("character", [*"\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x80\x9f\ufffe\uffff"])
def test_a_control_character_in_a_suite_is_reported_with_its_line(tmp_path: Path, character: str) -> None:
    code = f"U+{ord(character):04X}"
    text = told(tmp_path, ASKED.replace("Hi", f"H{character}i"))
    assert f"x.yaml:4: not YAML: the character {code} is not allowed" in text


@pytest.mark.parametrize("key", ["prompt", "model"])
def test_an_escaped_control_character_reaches_no_message(tmp_path: Path, key: str) -> None:
    assert "\x1b" not in told(tmp_path, ASKED.replace(f"{key}:", f'"{key}\\x1b[2J\\nerror":', 1))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"id":"a","prompt":' + "[" * 100_000, "nested more than 50 deep"),
        ('{"id":"a","prompt":"x","expect":' + DEEP + "}", "nested more than 50 deep"),
        (
            '{"id":"a","prompt":"x","checks":[{"type":"json_schema","schema":' + NESTED + "}]}",
            "checks: nested more than",
        ),
        ('{"id":"a","prompt":"x","check":' + json.dumps('{"type":' + "[" * 5000) + "}", "check: nested more than 50"),
        ('{"id":"a","prompt":"x","expect":1e400}', "expect: not JSON: Number out of range"),
        ('{"id":"a","prompt":"x","group":-1e400}', "group: not JSON: Number out of range"),
        ('{"id":"a","prompt":"x","expect":' + "9" * 6000 + "}", "expect: not JSON: Integer value out of range"),
        ('{"id":"a","prompt":"x","expect":NaN}', "not a JSON object"),
        ('{"id":"a","prompt":"\\ud800"}', "not a JSON object"),
    ],
)
def test_json_that_is_too_deep_or_too_large_is_reported_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    rows = '{"id":"good","prompt":"x","expect":1}\n' + row + "\n"
    assert message in told(tmp_path, TARGETS + "dataset: d.jsonl\n", d_jsonl=rows)
    trace = '{"offset_s":0}\n' + row + "\n"
    assert "d.jsonl:2: " in told(tmp_path, TARGETS + "load: {arrival: trace, trace: d.jsonl}\n", d_jsonl=trace)


def test_what_a_dataset_may_hold_a_frozen_suite_may_hold_too(tmp_path: Path) -> None:
    schema = '{"not":' * 45 + "{}" + "}" * 45
    (tmp_path / "d.jsonl").write_text(
        '{"id":"a","prompt":"x","checks":[{"type":"json_schema","schema":' + schema + "}]}\n", encoding="utf-8"
    )
    (tmp_path / "x.yaml").write_text(TARGETS + "dataset: d.jsonl\n", encoding="utf-8")
    suite = load_suite(tmp_path / "x.yaml")
    (tmp_path / "suite.json").write_bytes(encode_suite(suite))
    assert suite.prompts == read_suite(tmp_path).prompts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'id,prompt\na,"x\nb,y\n', "d.csv:2: not CSV: unexpected end of data"),
        (b'id,prompt,check\na,x,"' + b'{""a"":' * 5000 + b'"\n', "d.csv:2: check: nested more than 50 deep"),
        (b"id,prompt\na\0,x\n", "d.csv:2: id: 'a\\x00' contains a character that is not allowed"),
        ("id,prompt\na,x\n".encode("utf-16"), "d.csv:1: is not UTF-8"),
        (b"id,prompt" + b",x" * 100_000, "d.csv:1: unknown column 'x'"),
    ],
)
def test_csv_that_is_invalid_is_reported_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    assert message in told(tmp_path, TARGETS + "dataset: d.csv\n", d_csv=content)


def test_a_cell_may_hold_a_prompt_of_any_length_and_a_file_a_byte_order_mark(tmp_path: Path) -> None:
    prompt = "x" * 400_000
    (tmp_path / "d.csv").write_text(f"\ufeffid,prompt\r\na,{prompt}\r\n", encoding="utf-8", newline="")
    (tmp_path / "x.yaml").write_text(TARGETS + "dataset: d.csv\n", encoding="utf-8")
    assert prompt == load_suite(tmp_path / "x.yaml").prompts[0].messages[0].content


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(" * 5000, "has groups more than 100 deep"),
        ("(?:" * 5000 + ")" * 5000, "has groups more than 100 deep"),
        ("[" * 5000, "is not a regular expression"),
        ("a{100000000}", "repeats more than 100,000 items"),
        ("(((a{1000}){1000}){1000}){1000}", "repeats more than 100,000 items"),
        ("(?x)(a{1000} # )\n){1000}", "repeats more than 100,000 items"),
        ("a{99999999999999999999}", "repeats more than 100,000 items"),
        ("a" * 30_000, "has more than 20,000 characters"),
    ],
)
@pytest.mark.parametrize(
    "check",
    [
        "{type: regex, pattern: PATTERN}",
        "{type: json_schema, schema: {pattern: PATTERN}}",
        "{type: json_schema, schema: {items: {patternProperties: {PATTERN : {}}}}}",
    ],
)
def test_a_pattern_that_would_take_all_memory_is_refused(
    tmp_path: Path, check: str, pattern: str, message: str
) -> None:
    written = check.replace("PATTERN : {}", "? PATTERN : {}").replace("PATTERN", json.dumps(pattern))
    assert message in told(tmp_path, ASKED.replace("CHECKS", f"checks: [{written}]"))


@pytest.mark.parametrize(
    "pattern", [r"^\d{4}-\d{2}-\d{2}$", r"(?x) (\d{4}) # year", "(" * 99 + ")" * 99, r"[({]{2}\{99999999\}"]
)
def test_a_pattern_that_people_write_is_compiled(pattern: str) -> None:
    assert pattern == compile_pattern(pattern).pattern


PIECES = [
    *"()[]{}ab*+?|^$\\#\n\0", "{3}", "{99999}", "(?:", "(?P<n>", "(?<=", "(?x)", "(?V1)", "\\p{L}", "\\N{x}", "\\x",
    "(?R)", "(?1)", "{e<=2}", "[[:alpha:]]", "&&", "\ud800", "(?#", "(*FAIL)", "(?(DEFINE)", "\\L<x>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_any_pattern_is_compiled_or_refused(pieces: list[str]) -> None:
    with suppress(PatternError):
        compile_pattern("".join(pieces))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{"$ref":"#"}', "refers to itself endlessly"),
        ('{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}', "end"),
        ('{"properties":{"a":{"if":{"$ref":"#/properties/a"}}}}', "refers to itself endlessly"),
        ('{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveRef":"#"}', "endlessly"),
        ('{"$dynamicRef":"http://127.0.0.1:9/x"}', "$ref 'http://127.0.0.1:9/x' is not in the schema"),
        ('{"$ref":"http://[::1"}', "is not in the schema"),
        ('{"$ref":"#/allOf/x","allOf":[{}]}', "is not in the schema"),
        ('{"$schema":5}', "not a JSON Schema at $.$schema"),
        ('{"not":' * 45 + "{}" + "}" * 45, None),
        ('{"type":"object","properties":{"child":{"$ref":"#"}}}', None),
    ],
)
def test_a_schema_without_end_or_with_a_part_elsewhere_is_refused(
    tmp_path: Path, schema: str, message: str | None
) -> None:
    suite = ASKED.replace("CHECKS", "checks: [{type: json_schema, schema: " + schema + "}]")
    if message is not None:
        assert message in told(tmp_path, suite)
    else:
        (tmp_path / "x.yaml").write_text(suite, encoding="utf-8")
        load_checked(tmp_path / "x.yaml")


def test_a_file_with_more_mistakes_than_anybody_reads_lists_the_first(tmp_path: Path) -> None:
    lines = told(tmp_path, TARGETS + "dataset: d.csv\n", d_csv="id,prompt\n" + "a\n" * 1000).splitlines()
    assert "d.csv:101: has 1 cells, but the header has 2 columns" == lines[-2]
    assert "d.csv:101: and 900 more mistakes" == lines[-1]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ('{"id":"a","prompt":"x","prompt":"y"}', "prompt"),
        ('{"id":"a","prompt":"x","check":{"type":"contains","expect":"x","expect":"y"}}', "expect"),
    ],
)
def test_a_key_that_a_json_line_holds_twice_is_reported(tmp_path: Path, row: str, key: str) -> None:
    assert f"d.jsonl:1: key '{key}' appears twice; drop one" == told(
        tmp_path, TARGETS + "dataset: d.jsonl\n", d_jsonl=row
    )


def test_aliases_cannot_make_a_small_file_an_enormous_suite(tmp_path: Path) -> None:
    suite = TARGETS + "prompts:\n- {id: a, prompt: &a " + "x" * 500_000 + "}\n"
    suite += "".join(f"- {{id: a{n}, prompt: *a}}\n" for n in range(1000))
    assert "x.yaml:205: the aliases up to here repeat more than 100 MB of text" in told(tmp_path, suite)


def test_a_merge_key_is_explained(tmp_path: Path) -> None:
    suite = ASKED.replace("{model: claude-haiku-4-5, routing", "{<<: {model: claude-haiku-4-5}, routing")
    assert "x.yaml:2: targets[0].<<: merge keys are not supported" in told(tmp_path, suite.replace("CHECKS", ""))


def test_a_damaged_file_of_many_prompts_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def read(folder: Path, name: str) -> Attachment:
        names.append(name)
        return read_document(folder, name)

    monkeypatch.setattr(prompts, "read_document", read)
    suite = TARGETS + "prompts:\n" + "".join(f"- {{id: a{n}, prompt: Hi, documents: [d.pdf]}}\n" for n in range(9))
    assert 9 == told(tmp_path, suite, d_pdf="%PDF-").count("d.pdf")
    assert ["d.pdf"] == names


@pytest.mark.parametrize(
    "code",
    [
        "-" * 50_000 + "1",
        "a" + ".a" * 50_000,
        "if 1: pass\n" + "elif 1: pass\n" * 9000,
        "(" * 9000,
        "a\0",
        "# coding: x",
    ],
    ids=["minuses", "attributes", "branches", "brackets", "NUL", "an unknown encoding"],
)
def test_a_check_file_that_python_cannot_parse_is_reported(tmp_path: Path, code: str) -> None:
    suite = ASKED.replace("CHECKS", "checks: [{type: python, file: c.py}]")
    assert "x.yaml:4: prompts[0].checks[0].file: 'c.py' is not Python" in told(tmp_path, suite, c_py=code)


PARTS = [
    "suite: ", "demo", "targets:", "\n", "\n  ", "- ", "{", "}", "[", "]", ": ", ", ", "'", '"', "&a ", "*a", "<<: ",
    "!!set ", "!!python/name:os.system ", "\t", "\ufeff", "\x1b", "\u2028", "\x85", "1e400", "0o17", "~", "|\n", "? ",
    "#", "---", "%YAML 1.1\n", "prompts", "id", "expect", "checks", "schema", "$ref", "pattern", "model", "load",
    "gate", "prices", "\\ud800", "9" * 5000,
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=25), st.booleans())
def test_any_file_is_a_suite_or_has_mistakes_with_lines(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], whole: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "x.yaml"
    path.write_text(
        (ASKED.replace("CHECKS", "expect: 1") if whole else "") + "".join(parts), encoding="utf-8", newline=""
    )
    lines: tuple[str, ...] = ()
    try:
        load_checked(path)
    except SuiteError as error:
        lines = error.mistakes
    assert [] == [line for line in lines if not re.match(rf"{re.escape(str(path))}:[1-9]\d*: .{{1,2100}}\Z", line)]
