"""Datasets: both formats, their mistakes with file and line, and paths that try to leave the suite's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.loader import load_suite
from harness.suite.read.dataset import read_dataset
from harness.suite.read.text_file import FileMistake
from harness.suite.suite import Check, Message, Prompt, Suite

SUITE = "suite: demo\ntargets: [{model: claude-haiku-4-5}]\ndataset: %s\n"


def load(folder: Path, name: str, content: str | bytes) -> Suite:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_named(folder, name)


def load_named(folder: Path, name: str) -> Suite:
    path = folder / "x.yaml"
    path.write_text(SUITE % name, encoding="utf-8")
    return load_suite(path)


def mistakes(folder: Path, name: str, content: str | bytes) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(folder, name, content)
    return [told.replace(f"{folder}/", "") for told in caught.value.mistakes]


def prompt(**given) -> Prompt:
    return Prompt(messages=(Message(role="user", content=given.pop("says")),), **given)


def test_csv_and_jsonl_with_the_same_rows_are_the_same_suite(tmp_path: Path) -> None:
    csv = load(
        tmp_path,
        "d.csv",
        "id,prompt,expect,check,tags,group\r\n"
        'a,"Two\nlines, quoted ""so""",Paris,,"x; y",g\r\n'
        "\r\n"
        "b,Sum?,1.50,numeric,,\r\n"
        'c,Free?,,"{""type"": ""regex"", ""pattern"": ""^x""}",,\r\n',
    )
    jsonl = load(
        tmp_path,
        "d.jsonl",
        '{"id": "a", "prompt": "Two\\nlines, quoted \\"so\\"", "expect": "Paris", "tags": ["x", "y"], "group": "g"}\n'
        "\n"
        '{"id": "b", "prompt": "Sum?", "expect": 1.50, "check": "numeric"}\n'
        '{"id": "c", "prompt": "Free?", "check": {"type": "regex", "pattern": "^x"}}\n',
    )
    assert csv.prompts == (
        prompt(
            id="a",
            says='Two\nlines, quoted "so"',
            expect="Paris",
            checks=(Check(type="exact"),),
            tags=("x", "y"),
            group="g",
        ),
        prompt(id="b", says="Sum?", expect="1.50", checks=(Check(type="numeric"),)),
        prompt(id="c", says="Free?", checks=(Check(type="regex", params={"pattern": "^x"}),)),
    )
    assert csv.prompts == jsonl.prompts
    assert csv.digest == jsonl.digest


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("d.csv", "id,promt\na,b\n", ["d.csv:1: unknown column 'promt'; did you mean 'prompt'?"]),
        ("d.csv", "id\na\n", ["d.csv:1: missing column 'prompt'"]),
        ("d.csv", "id,prompt,id\na,b,c\n", ["d.csv:1: column 'id' appears twice"]),
        ("d.csv", "id,prompt\n", ["d.csv:1: contains no prompts"]),
        ("d.csv", "", ["d.csv:1: contains no prompts"]),
        (
            "d.csv",
            'id,prompt\na,"x\ny"\nb\n,q\nc,\n',
            [
                "d.csv:4: has 1 cells, but the header has 2 columns",
                "d.csv:5: 'id' is missing or empty",
                "d.csv:6: 'prompt' is missing or empty",
            ],
        ),
        ("d.csv", 'id,prompt\na,"x"y\n', ["d.csv:2: not CSV: ',' expected after '\"'"]),
        ("d.csv", b"id,prompt\na,\xe9\n", ["d.csv:2: is not UTF-8 (byte 0xe9); save it as UTF-8"]),
        ("d.csv", 'id,prompt,check\na,b,"{""type"": 5}"\n', ["d.csv:2: check.type: expected text, got the number 5"]),
        ("d.csv", "id,prompt,check\na,b,{oops\n", ["d.csv:2: check: not a JSON object"]),
        ("d.csv", "id,prompt\na,b\na,c\n", ["d.csv:3: id: prompt 'a' appears twice (first: d.csv:2); rename one"]),
        ("d.jsonl", '{"id": "a", "prompt": "b"}\n[1]\n', ["d.jsonl:2: not a JSON object"]),
        (
            "d.jsonl",
            '{"id": "a", "prompt": "b", "expct": 1}\n',
            ["d.jsonl:1: expct: unknown key 'expct'; did you mean 'expect'?"],
        ),
        ("d.jsonl", '{"id": "a", "prompt": "b", "expect": [1]}\n', ["d.jsonl:1: expect: expected text or a number or"]),
        ("d.jsonl", '{"id": "a", "prompt": 5}\n', ["d.jsonl:1: prompt: expected text, got the number 5"]),
        (
            "d.jsonl",
            '{"id": "a", "prompt": "b", "tags": 5}\n',
            ["d.jsonl:1: tags: expected text such as 'a; b' or a list, got the number 5"],
        ),
        (
            "d.jsonl",
            '{"id": "a", "prompt": "b", "check": ["exact"]}\n',
            [
                'd.jsonl:1: check: expected text such as numeric, a mapping such as {"type": "numeric"}, '
                "or in JSONL `checks` with a list of these; got a list"
            ],
        ),
        (
            "d.jsonl",
            '{"id": "a", "prompt": "b", "checks": "exact"}\n',
            [
                "d.jsonl:1: checks: expected a list of mappings, each with a `type`; a single one may be written as "
                "`check`; got 'exact'"
            ],
        ),
        (
            "d.jsonl",
            '{"id": "a", "prompt": "b", "checks": [{"type": "exact"}, {}], "check": "exact"}\n',
            ["d.jsonl:1: checks[1]: missing key 'type'", "d.jsonl:1: checks: use either `check` or `checks`"],
        ),
        (
            "d.jsonl",
            '{"id": "a"}\n{"id": "a", "prompt": "b"}\n',
            ["d.jsonl:1: 'prompt' is missing or empty", "d.jsonl:2: id: prompt 'a' appears twice (first: d.jsonl:1)"],
        ),
        ("d.txt", "x", ["x.yaml:3: dataset: d.txt: a dataset must be a .csv or .jsonl file, not '.txt'"]),
    ],
)
def test_a_mistake_in_a_dataset_is_reported_with_its_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, told: list[str]
) -> None:
    found = mistakes(tmp_path, name, content)
    assert len(told) == len(found)
    for wanted, given in zip(told, found, strict=True):
        assert given.startswith(wanted)


@pytest.mark.parametrize(
    "name", ["../secret.csv", "sub/../../secret.csv", "/etc/passwd", "link.csv", "folder/secret.csv"]
)
def test_a_dataset_outside_the_suites_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.csv").write_text("id,prompt\na,b\n", encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link.csv").symlink_to("../secret.csv")
    (home / "folder").symlink_to("..")
    with pytest.raises(SuiteError, match=r"x\.yaml:3: dataset: .* is outside the suite's folder"):
        load_named(home, name)


def test_a_dataset_that_is_not_there_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"x\.yaml:3: dataset: gone\.csv: there is no such file$"):
        load_named(tmp_path, "gone.csv")


def test_a_dataset_below_the_suites_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert len(load(tmp_path, "sub/d.csv", "id,prompt\na,b\n").prompts) == 1


def test_jsonl_takes_a_list_of_checks_as_the_suite_file_does(tmp_path: Path) -> None:
    row = '{"id": "a", "prompt": "b", "checks": [{"type": "contains", "text": "x"}, {"type": "regex", "pattern": "y"}]}'
    (loaded,) = load(tmp_path, "d.jsonl", row).prompts
    assert loaded.checks == (Check(type="contains", params={"text": "x"}), Check(type="regex", params={"pattern": "y"}))


def test_semicolons_separate_tags_and_a_comma_alone_is_a_warning(tmp_path: Path) -> None:
    suite = load(tmp_path, "d.csv", 'id,prompt,expect,tags\na,b,1,x; y\nc,d,1,"x, y"\ne,f,1,"x, y; z"\n')
    assert [("x", "y"), ("x, y",), ("x, y", "z")] == [each.tags for each in suite.prompts]
    assert suite.warnings == ("a tag contains a comma, but `;` separates tags: 1 prompt (c)",)


def test_a_dataset_with_more_prompts_than_a_suite_takes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("id,prompt\n" + "".join(f"{name},Hi\n" for name in "abcd"))
    assert 4 == len(read_dataset(path, most=4))
    with pytest.raises(FileMistake, match="has more than 3 prompts") as caught:
        read_dataset(path, most=3)
    assert 5 == caught.value.line
