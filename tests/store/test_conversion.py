"""Damaged journals: every whole line is taken, what is left out is told and kept, and nothing is written that lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
import pytest

from harness.errors import StoreError
from harness.files import LONGEST_LINE
from harness.store.opening import open_run
from harness.store.query import connect
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder
from harness.suite.suite import Message, Prompt, Suite

Make = Callable[..., Attempt]
MakeRun = Callable[..., RunFolder]


def encode(attempt: Attempt, run: RunFolder) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(attempt, run_id=run.path.name)) + b"\n"


def stamps(run: RunFolder) -> list[int]:
    with closing(connect([run])) as connection:
        return [due for (due,) in connection.execute("SELECT due_ns FROM attempts ORDER BY due_ns").fetchall()]


DAMAGE = {
    "no JSON": (lambda line: line[:20] + b"\n", "malformed"),
    "nothing": (lambda line: b"\n", "truncated"),
    "NUL bytes, as a crash of the machine leaves them": (lambda line: b"\0" * 100 + b"\n", "malformed"),
    "no UTF-8": (lambda line: line.replace(b'"p"', b'"\xff\xfe"'), "codec"),
    "a text for a number": (lambda line: line.replace(b'"due_ns":1', b'"due_ns":"soon"'), "Expected `int`"),
    "a list for a number": (lambda line: line.replace(b'"due_ns":1', b'"due_ns":[1]'), "Expected `int`"),
    "a number that no column holds": (lambda line: line.replace(b'"due_ns":1', b'"due_ns":1' + b"0" * 30), "Expected"),
    "a time that no run lasts": (lambda line: line.replace(b'"due_ns":1', b'"due_ns":%d' % 2**62), "Expected"),
    "more tokens than there are": (
        lambda line: line.replace(b'"input_tokens":null', b'"input_tokens":%d' % 10**13),
        "Expected",
    ),
    "a long text for a number, which DuckDB quotes and cuts": (
        lambda line: line.replace(b'"server_latency_ms":null', b'"server_latency_ms":"%s"' % (b"\xc3\xa9" * 300)),
        "Expected",
    ),
    "the same, cut a byte further": (
        lambda line: line.replace(b'"server_latency_ms":null', b'"server_latency_ms":"x%s"' % (b"\xc3\xa9" * 300)),
        "Expected",
    ),
    "a number without end": (lambda line: line.replace(b'"cost_usd":null', b'"cost_usd":1e400'), "out of range"),
    "brackets without end": (lambda line: b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "recursion"),
    "no target": (lambda line: line.replace(b'"target":"t",', b""), "missing required field `target`"),
    "a target that the run has not": (
        lambda line: line.replace(b'"target":"t"', b'"target":"x"'),
        "its target is not in the run",
    ),
    "a phase that there is not": (lambda line: line.replace(b'"measure"', b'"lunch"'), "unknown phase"),
    "another run": (lambda line: line.replace(b'"run_id":"', b'"run_id":"x'), "belongs to another run"),
    "another attempt under an id": (
        lambda line: line.replace(b'"1-0-1"', b'"0-0-1"'),
        "another attempt has the same id",
    ),
    "another attempt of the same try": (
        lambda line: line.replace(b'"1-0"', b'"0-0"'),
        "another attempt has the same request and try number",
    ),
    "a line without end": (lambda line: b" " * (LONGEST_LINE + 1000) + line, "longer than 64 MB"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_line_is_left_out_reported_and_kept_and_every_other_one_is_taken(
    make_run: MakeRun, make_attempt: Make, name: str
) -> None:
    run, (damage, why) = make_run(), DAMAGE[name]
    first, second, third = (encode(make_attempt(number), run) for number in range(3))
    damaged = damage(second)
    assert damaged != second
    run.journal_path().write_bytes(first + damaged + third)
    manifest = open_run(run.path, recover=True).read_manifest()
    assert stamps(run) == [0, 2]
    assert manifest.attempts == 2
    [finding] = manifest.findings
    told = "1 line of the journal was damaged and left out, the first at attempts.jsonl:2: "
    assert finding.what.startswith(told)
    assert why in finding.what
    assert finding.remedy == "the journal is kept as attempts.jsonl.damaged; run the suite again"
    assert finding.invalidates
    assert (run.path / "attempts.jsonl.damaged").read_bytes() == first + damaged + third
    names = {"manifest.json", "suite.json", "suite.yaml", "attempts.parquet", "attempts.jsonl.damaged"}
    assert {path.name for path in run.path.iterdir()} == names
    assert open_run(run.path).read_manifest() == manifest


def test_a_line_that_is_there_twice_is_counted_once(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    lines = [encode(make_attempt(number), run) for number in (0, 1, 0)]
    run.journal_path().write_bytes(b"".join(lines))
    [finding] = run.finalise("complete").findings
    assert stamps(run) == [0, 1]
    assert finding.what == (
        "1 line of the journal was duplicated and counted once, the first at attempts.jsonl:3: "
        "a duplicate of an earlier attempt"
    )
    assert not finding.invalidates


def test_only_the_journal_that_is_damaged_is_kept(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    run.journal_path(0).write_bytes(encode(make_attempt(0), run))
    run.journal_path(1).write_bytes(b"{}\n" + encode(make_attempt(1), run) + b"{")
    manifest = run.finalise("complete")
    assert stamps(run) == [0, 1]
    assert ["the run was killed", "1 line of the jour"] == [each.what[:18] for each in manifest.findings]
    assert [path.name for path in run.path.glob("*.jsonl*")] == ["attempts-1.jsonl.damaged"]


def test_what_was_kept_before_is_not_written_over(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    for number in range(2):
        run.journal_path().write_bytes(encode(make_attempt(number), run) + b"%d\n" % number)
        run.finalise("interrupted")
    assert stamps(run) == [0, 1]
    kept = [run.path / f"attempts.jsonl.damaged{suffix}" for suffix in ("", "-2")]
    assert [path.read_bytes()[-2:] for path in kept] == [b"0\n", b"1\n"]


def test_nothing_is_changed_where_the_stored_attempts_are_damaged(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    run.attempts_path.write_bytes(b"PAR1 no more")
    run.journal_path().write_bytes(encode(make_attempt(), run))
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    with pytest.raises(StoreError, match=r"attempts\.parquet: cannot be written or read"):
        run.finalise("complete")
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_an_attempt_at_a_prompt_that_is_not_in_the_suite_is_left_out(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    prompt = Prompt(id="p", messages=(Message(role="user", content="x"),))
    targets = run.read_manifest().targets
    run.write_suite(Suite(name="s", digest="d", endpoint="simulator", targets=targets, prompts=(prompt,)))
    run.journal_path().write_bytes(encode(make_attempt(0), run) + encode(make_attempt(1, prompt_id="q"), run))
    [finding] = open_run(run.path, recover=True).read_manifest().findings
    assert finding.what.endswith("the first at attempts.jsonl:2: its prompt is not in the suite")
    assert stamps(run) == [0]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "device"])
def test_a_journal_that_is_not_a_file_in_its_folder_is_reported_and_never_waited_for(
    make_run: MakeRun, make_attempt: Make, tmp_path: Path, kind: str
) -> None:
    run, outside = make_run(), tmp_path / "outside.jsonl"
    outside.write_bytes(encode(make_attempt(), run) + b"{")
    before, journal = outside.read_bytes(), run.journal_path()
    make: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(journal),
        "folder": journal.mkdir,
        "link": lambda: journal.symlink_to(outside),
        "device": lambda: journal.symlink_to("/dev/zero"),
    }
    make[kind]()
    with pytest.raises(StoreError, match=r"attempts\.jsonl: the journal cannot be opened: .*; remove it"):
        open_run(run.path, recover=True)
    with pytest.raises(StoreError, match=r"attempts\.jsonl: the journal cannot be read: "):
        run.finalise("complete")
    assert outside.read_bytes() == before
    assert not run.attempts_path.exists()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("FROM whole UNION ALL FROM whole", "3 rows are duplicates"),
        ("SELECT * REPLACE (4611686018427387904 AS due_ns) FROM whole", "not attempts of this run"),
        ("SELECT * REPLACE (9223372036854775807 AS input_tokens) FROM whole", "not attempts of this run"),
        ("SELECT * REPLACE ('nan'::DOUBLE AS cost_usd) FROM whole", "not attempts of this run"),
    ],
)
def test_stored_attempts_with_duplicates_or_impossible_numbers_are_refused(
    make_run: MakeRun, make_attempt: Make, tmp_path: Path, sql: str, why: str
) -> None:
    run = make_run()
    run.journal_path().write_bytes(b"".join(encode(make_attempt(number), run) for number in range(3)))
    open_run(run.path, recover=True)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE whole AS FROM read_parquet('{run.attempts_path}')")
        connection.execute(f"COPY ({sql}) TO '{run.attempts_path}' (FORMAT parquet)")
    with pytest.raises(StoreError, match=why):
        open_run(run.path)
