"""The embedded Bedrock in a process of its own, for clients that know nothing of the harness."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary import CREDENTIALS

PROMPT = "Capital of France? One word."
SUITE = f"""\
suite: guide
targets: [{{model: claude-sonnet-4-5}}]
prompts: [{{id: capital, prompt: {PROMPT}, expect: Paris}}]
"""


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The user's environment without AWS's, and with made-up credentials: nothing real can leave."""
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANTHROPIC_"))}
    return {
        **kept,
        **CREDENTIALS,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session")
def bedrock_url(tmp_path_factory: pytest.TempPathFactory, clean_environment: dict[str, str]) -> Iterator[str]:
    """`harness simulate` with a suite of one prompt, ten times quicker than the models are."""
    folder: Path = tmp_path_factory.mktemp("guide")
    (folder / "guide.yaml").write_text(SUITE)
    command = [sys.executable, "-m", "harness", "simulate", "--port", "0", "--json", "--stop-with-stdin"]
    with subprocess.Popen(
        [*command, "--suite", "guide.yaml", "--speed", "10"],
        cwd=folder,
        env=clean_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield json.loads(child.stdout.readline())["url"]
        finally:
            child.stdin.close()
