"""Where an account's invocation log is, and the connection to read it through."""

from __future__ import annotations

from collections.abc import Sequence

from harness.endpoints.account.account import CONNECT_TIMEOUT_S, open_account
from harness.endpoints.address import make_connection
from harness.endpoints.base import Connection
from harness.errors import HarnessError


def log_connection(endpoint: str, region: str) -> Connection:
    """The connection for a log; a run on the embedded Bedrock has its log in a file, or on AWS."""
    where = "aws" if endpoint == "simulator" else endpoint
    return make_connection(where, region=region, pool_size=10, connect_timeout_s=CONNECT_TIMEOUT_S)


async def find_logs(endpoint: str, regions: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Each log that the account keeps of these Regions with a Region of it, and the Regions without any.

    CloudWatch Logs before S3, since records are there sooner. HarnessError: the account cannot be asked.
    """
    if endpoint == "simulator":
        raise HarnessError(
            "the run was made on the embedded Bedrock, which has ended; name its log with --log FILE "
            "(`harness simulate --invocation-log FILE` writes one)"
        )
    found: list[tuple[str, str]] = []
    without = []
    for region in regions:
        async with open_account(endpoint, region=region) as account:
            config = await account.logging()
        if config is not None and config.log_group is not None:
            found.append((f"logs:{config.log_group}", region))
        elif config is not None and config.bucket is not None:
            found.append((f"s3://{config.bucket}/{config.prefix}".rstrip("/"), region))
        else:
            without.append(region)
    return found, without
