"""Somebody else's folders: nothing in the current folder is imported, and nobody else's run does harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

SHADOW = """\
open({marker!r}, "w")
raise SystemExit("shadowed")
"""


SUITE = """\
suite: one
targets: [{model: claude-haiku-4-5, routing: global}]
load: {concurrency: 2}
prompts: [{id: p, prompt: "?"}, {id: q, prompt: "?"}]
"""


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    """Slow, since it starts every process of a run: the embedded Bedrock and the workers."""
    (tmp_path / "one.yaml").write_text(SUITE)
    marker = tmp_path / "ran"
    for name in ("json.py", "msgspec.py", "harness/__init__.py", "harness/__main__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SHADOW.format(marker=str(marker)))
    line = [sys.executable, "-P", "-m", "harness", "run", "one.yaml", "--workers", "2", "--figures", "errors"]
    done = subprocess.run([*line, "--quiet"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert not marker.exists()
    assert done.returncode in (0, 4), done.stderr


EXAMPLE = Path(__file__).parents[2] / "results" / "example"
OWN_ID = json.loads((EXAMPLE / "manifest.json").read_text())["run_id"]
BAD_ID = "20990101T000000Z-theirs-ffffff"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Somebody else's run, in one folder with a run of one's own."""
    shutil.copytree(EXAMPLE, tmp_path / "results" / "own")
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "results" / "theirs"))
    put("manifest.json", "run_id", value=BAD_ID)(folder)
    rows("attempts.parquet", f"SELECT * REPLACE ('{BAD_ID}' AS run_id) FROM ROWS")(folder)
    return folder


def put(name: str, *path: str | int, value: Any) -> Callable[[Path], None]:
    """Change one value in a JSON file of a run."""

    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        (folder / name).write_text(json.dumps(content))

    return change


def rows(name: str, sql: str) -> Callable[[Path], None]:
    """Replace a Parquet file of a run by the result of a SELECT on it."""

    def change(folder: Path) -> None:
        path = folder / name
        made = sql.replace("ROWS", f"read_parquet('{path}')")
        duckdb.sql(f"COPY ({made}) TO '{folder}/new' (FORMAT parquet)")
        (folder / "new").replace(path)

    return change


def say(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def instead(name: str, make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


PAIR = b'{"key":"k","kind":"pair","by":"x","request_id":"r","given":%b}\n'
HOSTILE = {
    "a start that no calendar holds": put("manifest.json", "origin_utc_ns", value=10**30),
    "a start before there were any": put("manifest.json", "origin_utc_ns", value=-5),
    "a seed that no column holds": put("manifest.json", "seed", value=10**30),
    "an id that leads elsewhere": put("manifest.json", "run_id", value="../../x"),
    "an id that commands the terminal": put("manifest.json", "run_id", value="\x1b[31mx"),
    "a suite that commands the terminal": put("manifest.json", "suite", value="\x1b[31mx"),
    "a manifest without end": say("manifest.json", b"[" * 200_000),
    "a manifest that is a pipe": instead("manifest.json", os.mkfifo),
    "a summary without end": say("summary.json", b'{"a":' + b"[" * 300_000),
    "a summary that is a pipe": instead("summary.json", os.mkfifo),
    "a figure beyond all": put("summary.json", "targets", 0, "ttft_s", "p50", "value", value=1e308),
    "attempts that are a pipe": instead("attempts.parquet", os.mkfifo),
    "attempts that are a loop": instead("attempts.parquet", lambda path: path.symlink_to(path)),
    "attempts that are something else": say("attempts.parquet", b"PAR1 and more"),
    "attempts with other columns": rows("attempts.parquet", "SELECT 1 AS a"),
    "attempts with a text for a number": rows("attempts.parquet", "SELECT * REPLACE ('x' AS due_ns) FROM ROWS"),
    "attempts without a target": rows("attempts.parquet", "SELECT * REPLACE (NULL::VARCHAR AS target) FROM ROWS"),
    "attempts of the other run": rows("attempts.parquet", f"SELECT * REPLACE ('{OWN_ID}' AS run_id) FROM ROWS"),
    "attempts with a column of the reader's": rows("attempts.parquet", "SELECT *, 'x' AS filename FROM ROWS"),
    "attempts without an end to their cost": rows(
        "attempts.parquet", "SELECT * REPLACE ('inf'::DOUBLE AS cost_usd) FROM ROWS"
    ),
    "attempts with citations that are none": rows("attempts.parquet", "SELECT * REPLACE ('[[' AS citations) FROM ROWS"),
    "scores that are a pipe": instead("scores.parquet", os.mkfifo),
    "scores with a text for a number": rows("scores.parquet", "SELECT * REPLACE ('x' AS value) FROM ROWS"),
    "pairs that are none": say("judgements.jsonl", PAIR % b"{}"),
    "a judgement without end": say("judgements.jsonl", PAIR % (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_somebody_elses_run_breaks_nothing(theirs: Path, command: Any, name: str) -> None:
    HOSTILE[name](theirs)
    history = command("history", "--json")
    listed = [run["run_id"] for suite in json.loads(history.stdout)["suites"] for run in suite["runs"]]
    assert OWN_ID in listed
    asked = command("query", "SELECT run_id, count(*) AS n FROM requests GROUP BY ALL ORDER BY ALL", "--json")
    assert {"run_id": OWN_ID, "n": 168} in json.loads(asked.stdout)
    if name.startswith(("a summary", "a figure")):
        return  # no other command reads it
    graded = name.startswith(("pairs", "a judgement", "attempts with citations"))
    for line in ("report",) if graded else ("compare", "reconcile --log nothing"):
        done = command(*line.split()[:1], theirs, *line.split()[1:])
        assert "internal error" not in done.stderr, line
        assert "\x1b" not in done.stdout + done.stderr, line
