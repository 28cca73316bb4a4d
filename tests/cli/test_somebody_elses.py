"""Folders of somebody else: nothing in the one where the command is called is taken for a part of the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_modules_in_the_current_folder_are_not_those_of_the_program(tmp_path: Path) -> None:
    """Slow, for it starts every process that a run has: the embedded Bedrock and the workers."""
    (tmp_path / "one.yaml").write_text(SUITE)
    marker = tmp_path / "ran"
    for name in ("json.py", "msgspec.py", "harness/__init__.py", "harness/__main__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SHADOW.format(marker=str(marker)))
    line = [sys.executable, "-P", "-m", "harness", "run", "one.yaml", "--workers", "2", "--quiet"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert not marker.exists()
    assert done.returncode in (0, 4), done.stderr
