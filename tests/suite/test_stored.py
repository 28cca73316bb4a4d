"""The suite of a run: it comes back from its folder as what it was, and a folder of somebody else does no harm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from harness.errors import SuiteError
from harness.suite.digest import digest_suite
from harness.suite.grammar.yaml_lines import MAX_VALUES
from harness.suite.loader import load_suite
from harness.suite.read.text_file import MAX_SUITE_BYTES
from harness.suite.stored import MAX_BYTES, encode_suite, read_suite
from harness.suite.suite import Check, Message, Suite
from harness.suite.write import suite_yaml
from tests.suite.test_digest import PLAIN, SHIPPED, loaded, suites, without_paths

OLD = Path(__file__).parent / "data" / "old_layout.yaml"
SUITE = "suite: demo\ntargets: [{model: claude-haiku-4-5}]\n"


def back(suite: Suite) -> Suite:
    """The suite, stored and read."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "suite.json").write_bytes(encode_suite(suite))
        return read_suite(Path(folder))


@settings(max_examples=60)
@given(suites())
def test_a_stored_suite_comes_back_as_it_was(suite: Suite) -> None:
    assert without_paths(suite) == back(suite)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_suite_comes_back_with_its_notes_and_its_digest(path: Path) -> None:
    suite = load_suite(path)
    stored = back(suite)
    assert without_paths(msgspec.structs.replace(suite, warnings=())) == stored
    assert suite.digest == stored.digest == digest_suite(stored)


def test_a_suite_that_nests_as_deep_as_suites_and_datasets_may_is_stored(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "Hi", "checks": [{"type": "json_schema", "schema": nested(47)}]}
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n")
    tool = {"name": "f", "input_schema": {"type": "object", "x": nested(55)}}
    (tmp_path / "s.yaml").write_text(f"{SUITE}dataset: d.jsonl\ndefaults: {{tools: [{json.dumps(tool)}]}}\n")
    suite = load_suite(tmp_path / "s.yaml")
    assert suite == back(suite)


def test_a_suite_of_more_than_a_suite_file_may_hold_is_read(tmp_path: Path) -> None:
    suite = loaded(PLAIN)
    one, other = suite.prompts
    prompts = (
        msgspec.structs.replace(one, messages=(Message(role="user", content="long " * (MAX_SUITE_BYTES // 4)),)),
        msgspec.structs.replace(other, checks=(Check(type="exact", params={"odd": [1] * (MAX_VALUES + 1)}),)),
    )
    assert prompts == back(msgspec.structs.replace(suite, prompts=prompts)).prompts


def test_a_stored_suite_asks_the_catalog_nothing() -> None:
    suite = load_suite(SHIPPED[0].with_name("quickstart.yaml"))
    gone = msgspec.structs.replace(suite.targets[0], model="claude-gone", base_model="x.gone", model_id="us.x.gone")
    assert (gone,) == back(msgspec.structs.replace(suite, targets=(gone,), baseline=None)).targets


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_yaml_for_people_is_a_suite_file_of_the_same_content(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "suites"
    shutil.copytree(path.parent, folder)
    (folder / "again.yaml").write_text(suite_yaml(load_suite(path)), encoding="utf-8")
    assert load_suite(path).digest == load_suite(folder / "again.yaml").digest


def test_generated_text_is_stored_as_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE + "prompts: [{id: a, prompt: Hi, filler: {tokens: 100000}}]\n")
    suite = load_suite(tmp_path / "s.yaml")
    assert len(encode_suite(suite)) < 5000
    assert suite.prompts == back(suite).prompts


def test_the_suite_of_an_older_run_is_read_from_its_yaml(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_bytes(OLD.read_bytes())
    suite = read_suite(tmp_path)
    assert "fc7cfa39bacc" == suite.digest  # as the harness that wrote it said
    assert ((0.0, "a"), (1.0, None), (2.5, "b")) == tuple(
        (call.at_s, call.prompt_id) for call in suite.load.calls or ()
    )
    assert ("strict", ("a", "Ho", True)) == (
        suite.graders.judges[0].name,
        msgspec.structs.astuple(suite.graders.judges[0].labels[0]),
    )
    assert {"pass_rate": "3pp", "pass_rate[x]": "5pp", "cost_per_request": "$0.002"} == suite.gate
    assert suite == back(suite)


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    """`stored(change)`: what reading a suite says whose JSON was changed."""
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "checks.py").write_text("def grade(case): return True\n")
    (tmp_path / "s.yaml").write_text(
        SUITE
        + "baseline: claude-haiku-4-5/global/converse\ngate: {pass_rate: 3pp}\n"
        + "judges: {strict: {model: claude-opus-4-5}}\n"
        + "prompts: [{id: a, prompt: Hi, documents: [notes.txt], checks: [{type: python, file: checks.py}]}]\n"
    )
    content = json.loads(encode_suite(load_suite(tmp_path / "s.yaml")))

    def read(change: Any) -> Suite:
        change(content)
        (tmp_path / "suite.json").write_text(json.dumps(content))
        return read_suite(tmp_path)

    return read


def nested(depth: int) -> Any:
    return {"x": nested(depth - 1)} if depth else 1


HOSTILE = {
    "a Region that is a host": lambda s: s["targets"][0].update(region="evil.example/us-east-1"),
    "a judge's Region that is a host": lambda s: s["graders"]["judges"][0]["target"].update(region="evil.example"),
    "a document's place": lambda s: s["prompts"][0]["documents"][0].update(path="/etc/passwd"),
    "a target twice": lambda s: s["targets"].append(s["targets"][0]),
    "no target": lambda s: s["targets"].clear(),
    "no prompt": lambda s: s["prompts"].clear(),
    "a prompt twice": lambda s: s["prompts"].append(s["prompts"][0]),
    "another baseline": lambda s: s.update(baseline="x"),
    "a margin that is none": lambda s: s["gate"].update(pass_rate="much"),
    "a prompt without messages": lambda s: s["prompts"][0].update(messages=[]),
    "deep parameters": lambda s: s["prompts"][0]["checks"][0]["params"].update(x=nested(80)),
    "very deep parameters": lambda s: s["prompts"][0]["checks"][0]["params"].update(x=nested(900)),
    "an unknown option": lambda s: s["targets"][0]["options"].update(evil=1),
    "a duration of 400 digits": lambda s: s["timeouts"].update(total=10**400),
    "a rate of 400 digits": lambda s: s["load"].update(rate=10**400),
    "a text for a number": lambda s: s["load"].update(warmup="x"),
    "more generated text than fits": lambda s: s["prompts"][0].update(filler={"tokens": 10**9}),
    "calls of a prompt that is not there": lambda s: s["load"].update(calls=[{"at_s": 1, "prompt_id": "z"}]),
    "calls out of order": lambda s: s["load"].update(calls=[{"at_s": 2}, {"at_s": 1}]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_suite_that_no_run_wrote_is_refused(stored: Any, name: str) -> None:
    with pytest.raises(
        SuiteError, match=r"suite\.json: is not a valid stored suite: .*; restore it or delete the folder"
    ):
        stored(HOSTILE[name])


def test_code_in_a_run_folder_is_not_taken(stored: Any) -> None:
    suite = stored(lambda s: s["graders"]["check_files"][0].update(source="ZXZpbA=="))
    assert [None] == [file.source for file in suite.graders.check_files]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b'{"name": "x"}', b"[" * 100_000])
def test_a_damaged_suite_is_reported(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "suite.json").write_bytes(text)
    with pytest.raises(SuiteError, match=r"suite\.json: is not a valid stored suite: "):
        read_suite(tmp_path)


def test_the_yaml_for_people_is_not_read_where_the_json_is_gone(tmp_path: Path) -> None:
    written = "suite: x\ntargets:\n- {label: a, model: claude-haiku-4-5}\nprompts:\n- {id: p, prompt: Hi}\n"
    (tmp_path / "suite.yaml").write_text(written)
    with pytest.raises(SuiteError, match=r"has no suite\.json; restore it or delete the folder"):
        read_suite(tmp_path)


def test_a_suite_that_is_too_large_is_reported_unread(tmp_path: Path) -> None:
    with (tmp_path / "suite.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(SuiteError, match=r"suite\.json: cannot be read: larger than 1000 MB"):
        read_suite(tmp_path)


def test_a_folder_without_a_suite_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"has no suite\.json"):
        read_suite(tmp_path)
