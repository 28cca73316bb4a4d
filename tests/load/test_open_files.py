"""More streams than the system allows open files: told before anything is sent."""

import resource
import subprocess
import sys

import pytest

from harness.load.watch import SPARE, allow_connections, count_open_files, open_files_limit

LIMITED = """
import resource
from harness.load.watch import allow_connections, open_files_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 500))
{body}
"""


def told_by(body: str) -> str:
    """What `body` prints in a process that may open 200 files, and 500 if it asks for them."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(body=body)], capture_output=True, text=True, check=False
    )
    return done.stdout or done.stderr.splitlines()[-1]


def test_the_soft_limit_is_raised_as_far_as_the_load_needs() -> None:
    assert "300 364\n" == told_by("print(allow_connections(300), open_files_limit())")


def test_too_many_streams_are_refused_with_the_limit_and_the_remedy() -> None:
    assert told_by("allow_connections(5000)").startswith(
        "harness.errors.EndpointError: this load opens up to 5,000 connections, but this process may open only 500 "
        "files, which allows 436 connections; lower load.concurrency, share the load with --workers, or raise the limit"
    )


def test_an_open_load_takes_what_it_gets() -> None:
    assert f"{500 - SPARE}\n" == told_by("print(allow_connections(5000, at_least=1))")


def test_open_files_are_counted(tmp_path: pytest.TempPathFactory) -> None:
    before = count_open_files()
    assert before is not None
    with open(__file__):
        assert before + 1 == count_open_files()
    assert open_files_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 1 == allow_connections(1)
