"""The embedded Bedrock as a child process, for as long as a run needs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from harness.errors import EndpointError
from harness.suite.suite import Suite

READY_WITHIN_S = 30.0
VISUAL = "visual"
SECRETS = ("HARNESS_SIMULATOR_SECRET", "HARNESS_SIMULATOR_KEY_ID")
"""For a simulator that a user runs; a run's own is sent made-up keys."""


@asynccontextmanager
async def embedded_bedrock(suite: Suite, *, seed: int, options: Sequence[str] = ()) -> AsyncIterator[str]:
    """Start `harness simulate` with the suite's answer key and more `options`; gives its URL, ends it on leaving.

    The child watches its standard input, so that it ends with this process whatever happens to it.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        key = Path(folder) / "answers.json"
        write_answer_key(suite, key)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "harness", "simulate", "--port", "0", "--json", "--stop-with-stdin"),
            *("--seed", str(seed), "--answer-key", str(key), *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name not in SECRETS},
            start_new_session=True,  # Ctrl-C is for the run, which lets its requests finish first
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            try:
                async with asyncio.timeout(READY_WITHIN_S):
                    line = await child.stdout.readline()
            except TimeoutError:
                line = b""
            if not line:
                raise EndpointError("the embedded Bedrock did not start; run `harness simulate` to see why")
            yield json.loads(line)["url"]
        finally:
            child.stdin.close()
            await child.wait()


def write_answer_key(suite: Suite, path: Path) -> Path:
    """Write what the simulator may know of the suite: digest of each prompt → reference answer.

    A prompt tagged `visual` asks for what only a reader of the page's picture can know.
    """
    from harness.simulator.model.answers import prompt_digest

    key = {
        prompt_digest(prompt.messages[-1].content): {"answer": prompt.expect, "visual": VISUAL in prompt.tags}
        for prompt in suite.prompts
        if prompt.expect is not None
    }
    path.write_text(json.dumps(key), encoding="utf-8")
    return path
