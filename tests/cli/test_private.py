"""Results are for the user alone, whatever they hold and whoever writes them."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.cli.conftest import Bedrock, call_harness, run_harness

SUITE = """\
suite: private
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire}
  - {model: claude-sonnet-4-6, routing: us, api: invoke, client: wire}
baseline: claude-haiku-4-5/global/converse
judges: {strict: {model: claude-opus-4-5, routing: us, api: converse, client: wire}}
load: {concurrency: 2}
prompts:
  - {id: france, prompt: Capital of France? One word., checks: [{type: judge, judge: strict, rubric: Right?}]}
"""


WRITTEN = {"attempts.parquet", "scores.parquet", "judgements.jsonl", "suite.json", "report.html", "errors.png",
           "index.html", "compare.html", "history.html"}  # fmt: skip


def permissions(folder: Path) -> dict[str, str]:
    """Permissions of a folder and of everything in it, such as `-rw-------`, without those of links."""
    found = [path for path in (folder, *sorted(folder.rglob("*"))) if not path.is_symlink()]
    return {path.relative_to(folder.parent).as_posix(): stat.filemode(path.stat().st_mode) for path in found}


def test_everything_that_a_run_and_its_reports_write_is_private(tmp_path: Path, bedrock: Bedrock) -> None:
    (tmp_path / "private.yaml").write_text(SUITE)
    done = run_harness(tmp_path, "run", "private.yaml", "--endpoint", bedrock.url, "--workers", "2")
    assert (tmp_path / "results").exists(), done.stderr
    for line in ("report", "compare", "compare --out compared", "history --out past"):
        call_harness(tmp_path, *line.split())
    found = permissions(tmp_path / "results") | permissions(tmp_path / "compared") | permissions(tmp_path / "past")
    assert WRITTEN <= {Path(name).name for name in found}
    assert {} == {name: mode for name, mode in found.items() if mode not in ("drwx------", "-rw-------")}


def test_the_permissions_of_a_folder_that_exists_stay(tmp_path: Path, bedrock: Bedrock) -> None:
    (tmp_path / "private.yaml").write_text(SUITE)
    (tmp_path / "results").mkdir()
    (tmp_path / "results").chmod(0o750)
    call_harness(tmp_path, "run", "private.yaml", "--endpoint", bedrock.url)
    assert "drwxr-x---" == permissions(tmp_path / "results")["results"]
