"""A run's folder from its start to its Parquet file, and after every crash in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.store.client_health import ClientHealth
from harness.store.finding import Finding
from harness.store.journal import Journal
from harness.store.manifest import State, new_manifest
from harness.store.opening import open_run
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run, latest_run, list_runs, unreadable_runs
from harness.suite.suite import Suite

Make = Callable[..., Attempt]
MakeRun = Callable[..., RunFolder]
Write = Callable[..., None]

HEALTH = ClientHealth(lag_samples=9, lag_p50_ns=1, lag_p99_ns=5, lag_max_ns=6, cpu_share=0.1, busiest_cpu_share=0.2)

DESIGN = {
    **dict.fromkeys(("run_id", "request_id", "attempt_id"), "VARCHAR"),
    "try_no": "BIGINT",
    **dict.fromkeys(("target", "base_model", "model_id", "routing", "api", "client", "region"), "VARCHAR"),
    "stream": "BOOLEAN",
    **dict.fromkeys(("prompt_id", "group_id"), "VARCHAR"),
    "repeat": "BIGINT",
    "phase": "VARCHAR",
    **dict.fromkeys(("due_ns", "sent_ns", "headers_ns", "first_ns", "last_ns", "done_ns"), "BIGINT"),
    "chunk_us": "BIGINT[]",
    **dict.fromkeys(("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"), "BIGINT"),
    **dict.fromkeys(("stop_reason", "text"), "VARCHAR"),
    "ok": "BOOLEAN",
    **dict.fromkeys(("error_kind", "error_code", "error_message"), "VARCHAR"),
    "http_status": "BIGINT",
    "aws_request_id": "VARCHAR",
    **dict.fromkeys(("server_latency_ms", "server_first_byte_ms", "cost_usd"), "DOUBLE"),
    "citations": "VARCHAR",
}
"""The design's columns of attempts.parquet, in its order, and behind them what came later."""


def read(run: RunFolder) -> list[Attempt]:
    """The attempts, as `make_attempt` made them, which knows no run's id."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{run.attempts_path}') ORDER BY due_ns")
        names = [column[0] for column in found.description or ()]
        return [Attempt(**{**dict(zip(names, row, strict=True)), "run_id": "r"}) for row in found.fetchall()]


NO_PROMPTS = Suite(name="s", digest="d", endpoint="simulator", targets=(), prompts=())


def types(run: RunFolder) -> dict[str, str]:
    with duckdb.connect() as connection:
        rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{run.attempts_path}')").fetchall()
        return {name: kind for name, kind, *_ in rows}


def test_a_new_run_has_its_manifest_and_its_frozen_suite(make_run: MakeRun) -> None:
    run = make_run("My Suite/../x")
    manifest = run.read_manifest()
    assert manifest.run_id == run.path.name
    assert run.path.name[:8].isdigit()
    assert run.path.name.rpartition("-")[0].endswith("Z-my-suite-x")
    assert (manifest.state, manifest.simulated, manifest.seed, manifest.planned) == ("running", True, 1, 2)
    assert manifest.versions["harness"]
    assert manifest.versions["duckdb"] == duckdb.__version__
    assert {"manifest.json", "suite.json", "suite.yaml"} == {path.name for path in run.path.iterdir()}


@pytest.mark.parametrize("empty", [True, False], ids=["no attempts", "attempts with nothing but what is needed"])
def test_the_parquet_file_has_the_designs_columns_and_types(
    make_run: MakeRun, make_attempt: Make, write_journal: Write, empty: bool
) -> None:
    run = make_run()
    write_journal(run.journal_path(), [] if empty else [make_attempt()])
    run.finalise("complete")
    assert list(types(run).items()) == list(DESIGN.items())


def test_attempts_come_out_as_they_went_in(make_run: MakeRun, make_attempt: Make, write_journal: Write) -> None:
    full = make_attempt(
        1, text="a\n\0\u2028\ufffe😀", chunk_us=[1, 2**40], first_ns=2**59, cost_usd=0.1, server_latency_ms=12.0
    )
    attempts = [make_attempt(0), full, make_attempt(2, ok=False, error_kind="throttled", http_status=429)]
    run = make_run()
    write_journal(run.journal_path(), attempts)
    manifest = run.finalise("complete", findings=[Finding(what="w", remedy="r")], clients=[HEALTH])
    assert read(run) == attempts
    assert run.journals() == []
    assert (manifest.state, manifest.attempts) == ("complete", 3)
    assert manifest == run.read_manifest()
    assert manifest.findings == (Finding(what="w", remedy="r"),)
    assert manifest.clients == (HEALTH,)
    assert {path.name for path in run.path.iterdir()} == {
        "manifest.json",
        "suite.json",
        "suite.yaml",
        "attempts.parquet",
    }


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_the_journal_and_parquet(
    make_run: MakeRun, make_attempt: Make, write_journal: Write, texts: list[str]
) -> None:
    run = make_run()
    write_journal(run.journal_path(), [make_attempt(n, text=text) for n, text in enumerate(texts)])
    run.finalise("complete")
    assert [attempt.text for attempt in read(run)] == texts


def test_an_answer_of_twenty_megabytes_survives(make_run: MakeRun, make_attempt: Make, write_journal: Write) -> None:
    text = "é\n" * 5_000_000
    run = make_run()
    write_journal(run.journal_path(), [make_attempt(0, text=text), make_attempt(1)])
    run.finalise("complete")
    assert [attempt.text for attempt in read(run)] == [text, None]


def test_the_journals_of_all_shards_become_one_file(
    make_run: MakeRun, make_attempt: Make, write_journal: Write
) -> None:
    run = make_run()
    for shard in range(3):
        write_journal(run.journal_path(shard), [make_attempt(shard)])
    assert run.finalise("complete").attempts == 3
    assert [attempt.due_ns for attempt in read(run)] == [0, 1, 2]


def test_a_run_that_goes_on_keeps_its_earlier_attempts(
    make_run: MakeRun, make_attempt: Make, write_journal: Write
) -> None:
    run = make_run()
    write_journal(run.journal_path(), [make_attempt(0), make_attempt(1)])
    run.finalise("interrupted")
    write_journal(run.journal_path(), [make_attempt(1), make_attempt(2)])
    assert run.finalise("complete").attempts == 3
    assert [attempt.due_ns for attempt in read(run)] == [0, 1, 2]


def test_a_killed_run_is_reported_and_can_be_recovered(make_run: MakeRun, make_attempt: Make) -> None:
    run = make_run()
    line = msgspec.json.encode(make_attempt(0, run_id=run.path.name)) + b"\n"
    run.journal_path().write_bytes(line + line[:30])
    with pytest.raises(StoreError, match=r"was killed before it ended; `harness report .*` finishes it"):
        open_run(run.path)
    manifest = open_run(run.path, recover=True).read_manifest()
    assert (manifest.state, manifest.attempts) == ("interrupted", 1)
    assert "30 bytes of an unfinished line" in manifest.findings[0].what
    assert open_run(run.path) == run


@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_run_that_ended_with_its_journal_still_there_is_finished(
    make_run: MakeRun, make_attempt: Make, write_journal: Write, state: State
) -> None:
    run = make_run()
    run.write_manifest(msgspec.structs.replace(run.read_manifest(), state=state))
    write_journal(run.journal_path(), [make_attempt(0)])
    with pytest.raises(StoreError, match=r"was stopped before it ended; `harness report .*` finishes it"):
        open_run(run.path)
    manifest = open_run(run.path, recover=True).read_manifest()
    assert (manifest.state, manifest.attempts) == (state, 1)
    assert run.journals() == []


async def test_a_stopped_run_whose_journal_is_locked_is_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    run.write_manifest(msgspec.structs.replace(run.read_manifest(), state="interrupted"))
    async with Journal(run.journal_path()):
        with pytest.raises(StoreError, match="is still running"):
            open_run(run.path, recover=True)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("complete", "the run was complete, so the file was removed later: restore it or delete the folder"),
        (
            "interrupted",
            "the run was interrupted before it stored anything: complete it with `harness run --resume RUN`",
        ),
        ("failed", "the run failed before it stored anything: complete it with `harness run --resume RUN`"),
    ],
)
def test_a_run_without_its_attempts_is_reported(make_run: MakeRun, state: State, told: str) -> None:
    run = make_run()
    run.write_manifest(msgspec.structs.replace(run.read_manifest(), state=state))
    for recover in (False, True):
        with pytest.raises(StoreError, match=f"has no attempts.parquet; {told}"):
            open_run(run.path, recover=recover)


async def test_a_run_that_is_still_running_is_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    async with Journal(run.journal_path()):
        for recover in (False, True):
            with pytest.raises(StoreError, match="is still running"):
                open_run(run.path, recover=recover)


def test_a_crash_between_parquet_and_manifest_is_repaired(
    make_run: MakeRun, make_attempt: Make, write_journal: Write
) -> None:
    run = make_run()
    write_journal(run.journal_path(), [make_attempt(0)])
    run.write_manifest(msgspec.structs.replace(run.finalise("complete"), state="running"))
    assert open_run(run.path, recover=True).read_manifest().attempts == 1


def test_a_folder_that_is_not_a_run_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(StoreError, match="not a run"):
            open_run(path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="not a manifest of a run"):
        open_run(tmp_path)


def test_a_run_of_a_newer_harness_is_reported(make_run: MakeRun) -> None:
    run = make_run()
    run.write_manifest(msgspec.structs.replace(run.read_manifest(), schema_version=99))
    with pytest.raises(StoreError, match="newer harness"):
        open_run(run.path)


def test_a_folder_that_cannot_be_made_is_reported(make_run: MakeRun, tmp_path: Path) -> None:
    manifest = make_run().read_manifest()
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be created: Not a directory; choose another folder"):
        create_run(tmp_path / "file" / "results", manifest, NO_PROMPTS)


def test_the_latest_run_is_the_one_that_started_last(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no runs"):
        latest_run(tmp_path)
    run = make_run()
    for run_id in ("20200101T000000Z-old-000000", "20990101T000000Z-new-000000"):
        create_run(tmp_path, msgspec.structs.replace(run.read_manifest(), run_id=run_id), NO_PROMPTS)
    (tmp_path / "README.md").write_text("")
    assert latest_run(tmp_path).path.name == "20990101T000000Z-new-000000"
    assert len(list_runs(tmp_path)) == 3


def test_a_folder_with_the_characters_of_a_pattern_in_its_name_works(
    make_run: MakeRun, make_attempt: Make, write_journal: Write, tmp_path: Path
) -> None:
    run = make_run(results=tmp_path / "it's [1]* {a,b}?")
    write_journal(run.journal_path(), [make_attempt(0)])
    write_journal(run.journal_path(1), [make_attempt(1)])
    assert run.finalise("complete").attempts == 2


def test_a_broken_manifest_does_not_hide_the_other_runs(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    broken = tmp_path / "20990101T000000Z-broken-000000"
    broken.mkdir()
    (broken / "manifest.json").write_bytes(run.manifest_path.read_bytes()[:100])
    assert list_runs(tmp_path) == [run]
    assert latest_run(tmp_path) == run
    (told,) = unreadable_runs(tmp_path)
    assert told.startswith(f"{broken}/manifest.json: not a manifest of a run: ")
    run.manifest_path.write_text("")
    with pytest.raises(StoreError, match=r"broken-000000.*restore it or delete the folder"):
        latest_run(tmp_path)


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        ("https://user:secret@host:9000/a@b?c@d", "https://host:9000/a@b?c@d"),
        ("https://secret@host", "https://host"),
        ("https://user:se@cret@[::1", "https://[::1"),
        ("user:secret@host", "host"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("aws", "aws"),
    ],
)
def test_credentials_in_an_endpoints_url_are_never_in_the_manifest(endpoint: str, kept: str) -> None:
    suite = Suite(name="s", digest="d", endpoint=endpoint, targets=(), prompts=())
    manifest = new_manifest(suite, endpoint=endpoint, simulated=True, seed=1, planned=None)
    assert manifest.endpoint == kept
    assert b"secret" not in msgspec.json.encode(manifest)
