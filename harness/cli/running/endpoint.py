"""The endpoint of a command (AWS, a URL or the embedded Bedrock) and its invocation log."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from harness.endpoints.address import is_loopback, make_connection
from harness.endpoints.base import Connection
from harness.errors import EndpointError, HarnessError
from harness.scoring.python.processes import KEPT_VARIABLES
from harness.suite.suite import Suite

READY_WITHIN_S = 30.0
VISUAL = "visual"
SIMULATOR_VARIABLES = (*KEPT_VARIABLES, "HOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""The only environment variables that the embedded Bedrock sees, besides Python's own: no credentials, no proxies."""


def is_simulated(suite: Suite) -> bool:
    """Whether the endpoint is a stand-in for Bedrock, as anything on loopback is."""
    return suite.endpoint == "simulator" or is_loopback(suite.endpoint)


def trusted_endpoint(stored: str, given: str | None, run: Path) -> str:
    """Where to send requests about a run: the user's endpoint (`given`), else the one in the run's folder (`stored`).

    The folder may be somebody else's, so `stored` is used only if it is AWS or this machine; otherwise HarnessError.
    """
    if given is not None or stored in ("simulator", "aws") or is_loopback(stored):
        return given or stored
    raise HarnessError(
        f"{run}: names the endpoint {stored}, which would receive your credentials; "
        f"if you trust it, pass --endpoint {stored}"
    )


@asynccontextmanager
async def open_endpoint(suite: Suite, *, seed: int, simulator_options: Sequence[str] = ()) -> AsyncIterator[str]:
    """Yield `aws` or the URL of the suite's endpoint; runs the embedded Bedrock if the suite needs it."""
    if suite.endpoint != "simulator":
        yield suite.endpoint
        return
    async with embedded_bedrock(suite, seed=seed, options=simulator_options) as url:
        yield url


@asynccontextmanager
async def embedded_bedrock(suite: Suite, *, seed: int, options: Sequence[str] = ()) -> AsyncIterator[str]:
    """Start `harness simulate` with the suite's answer key and `options`; yields its URL and stops it on exit.

    The child watches its standard input, so that it ends even if this process is killed.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        key = Path(folder) / "answers.json"
        write_answer_key(suite, key)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "harness", "simulate", "--port", "0", "--json", "--stop-with-stdin"),
            *("--seed", str(seed), "--answer-key", str(key), *options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                name: value
                for name, value in os.environ.items()
                if name in SIMULATOR_VARIABLES or name.startswith("PYTHON")
            },
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
    """Write what the simulator needs to answer the suite, digest of each prompt → reference answer; returns the path.

    A prompt tagged `visual` can be answered only by a model that sees the page as an image.
    """
    from harness.simulator.model.answers import prompt_digest

    key = {
        prompt_digest(prompt.messages[-1].content): {"answer": prompt.expect, "visual": VISUAL in prompt.tags}
        for prompt in suite.prompts
        if prompt.expect is not None
    }
    path.write_text(json.dumps(key), encoding="utf-8")
    return path


def log_connection(endpoint: str, region: str) -> Connection:
    """The connection to read a log with; for a run on the embedded Bedrock, that of AWS."""
    from harness.endpoints.account.account import CONNECT_TIMEOUT_S  # imports the AWS SDK, which few runs need

    where = "aws" if endpoint == "simulator" else endpoint
    return make_connection(where, region=region, pool_size=10, connect_timeout_s=CONNECT_TIMEOUT_S)


async def find_logs(endpoint: str, regions: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The account's invocation logs in these Regions as (log, Region), and the Regions without one.

    Prefers CloudWatch Logs to S3, since records arrive there sooner. HarnessError: the account cannot be read, or the
    endpoint is the simulator.
    """
    from harness.endpoints.account.account import open_account

    if endpoint == "simulator":
        raise HarnessError(
            "the run used the embedded Bedrock, which has ended; name its log with --log FILE "
            "(`harness simulate --invocation-log FILE` writes one)"
        )
    logs: list[tuple[str, str]] = []
    without = []
    for region in regions:
        async with open_account(endpoint, region=region) as account:
            config = await account.logging()
        if config is not None and config.log_group is not None:
            logs.append((f"logs:{config.log_group}", region))
        elif config is not None and config.bucket is not None:
            logs.append((f"s3://{config.bucket}/{config.prefix}".rstrip("/"), region))
        else:
            without.append(region)
    return logs, without
