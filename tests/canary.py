"""Made-up credentials in the environment of every test, searched for in all that the tests wrote and printed.

At the end of a session, whatever is found fails it: in files under pytest's base folder, of all its processes, and in
what tests printed. What the commands of `tests/cli` print is searched at once.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

_WORD = "zQcAnArY13"
"""The start of every credential's own part. No character of it is ever escaped."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{_WORD}KEYID",
    "AWS_SECRET_ACCESS_KEY": f"{_WORD}SECRET/of+the+tests",
    "AWS_SESSION_TOKEN": f"{_WORD}SESSION/of+the+tests==",
    "AWS_BEARER_TOKEN_BEDROCK": f"{_WORD}BEARER-of-the-tests",
}
NO_CREDENTIALS = dict.fromkeys(CREDENTIALS, "")
"""Given to a command's `environment`, leaves them out: for tests of missing or other credentials."""
_PATTERN = re.compile(_WORD.encode() + rb"(KEYID|SECRET|SESSION|BEARER)")
_NAMES = dict(zip((b"KEYID", b"SECRET", b"SESSION", b"BEARER"), CREDENTIALS, strict=True))
_CHUNK, _OVERLAP = 1 << 20, 64


def credentials_in(text: str | bytes) -> list[str]:
    """The names of the variables whose values, or the beginnings of them, are in a text."""
    data = text.encode(errors="replace") if isinstance(text, str) else text
    return sorted({_NAMES[found] for found in _PATTERN.findall(data)}) if _WORD.encode() in data else []


class CanarySearch:
    """pytest's plug-in: collects where a credential was found, and fails the session that has such places."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for title, text in report.sections:
            self._found += [f"{report.nodeid}: {title} has {name}" for name in credentials_in(text)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        folder = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # as xdist does
        self._found += [f"{path} has {name}" for path, name in search_files(folder)]
        if self._found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section("credentials of the environment were written", red=True)
            for line in dict.fromkeys(self._found):  # each phase of a test repeats what was printed before
                terminalreporter.line(line)


def search_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each regular file below a folder that holds a credential, and the credential's name."""
    with duckdb.connect() as database:
        for parent, _, names in os.walk(folder):
            for path in (Path(parent, name) for name in names):
                with suppress(OSError):  # made unreadable by its test
                    if stat.S_ISREG(path.lstat().st_mode):
                        yield from ((path, name) for name in _credentials_in_file(path, database))


def _credentials_in_file(path: Path, database: duckdb.DuckDBPyConnection) -> list[str]:
    if path.suffix == ".parquet":
        with suppress(duckdb.Error):  # damaged by its test: searched as it is
            rows = database.execute(
                "SELECT row::VARCHAR FROM read_parquet($file) row WHERE contains(row::VARCHAR, $word)",
                {"file": str(path), "word": _WORD},
            )
            return credentials_in(str(rows.fetchall()))
    found: set[str] = set()
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK):
            found.update(credentials_in(before + chunk))
            before = chunk[-_OVERLAP:]
    return sorted(found)
