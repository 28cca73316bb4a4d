"""The user's check functions: in a separate process, within limits, and their failures never fail an answer."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest

from harness.errors import SuiteError
from harness.scoring.checks import check_mistakes
from harness.scoring.judgements import read_judgements
from harness.scoring.python.processes import KEPT_VARIABLES, MEMORY_BYTES, PROGRAM, open_workers
from harness.scoring.python.worker import ORPHAN_S
from harness.scoring.score import score_run
from harness.scoring.scorer import Call, FunctionResult, Unscored
from harness.store.records import Score
from harness.store.run_folder import RunFolder
from harness.suite.loader import load_suite
from harness.suite.read.graders import read_check_file
from harness.suite.stored import encode_suite, read_suite
from harness.suite.suite import Check, CheckFile, Graders, Suite
from tests.processes import is_running, wait_until

SOURCE = """
import os, sys, time
seen = []
def grade(case):
    return case["answer"] == case["expect"]
def share(case):
    return 0.25, "a quarter"
def plain_share(case):
    return 0.75
def loud(case):
    print("x" * 100_000)
    sys.stdout.write("{}\\n")
    sys.stderr.write("noise")
    return True
def broken(case):
    raise ValueError(case["answer"])
def quits(case):
    sys.exit(0)
def dies(case):
    os._exit(7)
def killed(case):
    os.kill(os.getpid(), 9)
def sleeps(case):
    time.sleep(60)
def spins(case):
    while True:
        pass
def eats(case):
    return len(bytearray(16 * 2**30)) > 0
def remembers(case):
    seen.append(1)
    return 1 / len(seen)
def environment(case):
    return True, ",".join(sorted(os.environ))
def asks(case):
    return input() == "x"
def strange(case):
    return {"nan": float("nan"), "two": 2, "none": None, "text": "yes", "list": [1], "odd": (True, 5)}[case["answer"]]
def sees(case):
    return True, repr(sorted(case))
"""


@pytest.fixture
def check_file(tmp_path: Path) -> Callable[[str], CheckFile]:
    def write(source: str) -> CheckFile:
        (tmp_path / "checks.py").write_text(dedent(source))
        found = read_check_file(tmp_path, "checks.py")
        assert isinstance(found, CheckFile)
        return found

    return write


async def run(file: CheckFile, *functions: str, answer: str = "Paris", timeout_s: float = 10.0) -> list[FunctionResult]:
    """The results of the functions, called in turn in the same worker."""
    async with open_workers([file]) as workers:
        case = {"answer": answer, "expect": "Paris"}
        calls = [Call(file=file.name, function=f, case=case, timeout_s=timeout_s, request_id="0") for f in functions]
        return [await workers.run(call, file.digest) for call in calls]


async def test_a_bool_a_number_and_either_with_a_reason_are_verdicts(check_file: Any) -> None:
    results = await run(check_file(SOURCE), "grade", "share", "plain_share")
    assert results == [
        FunctionResult(value=1.0),
        FunctionResult(value=0.25, reason="a quarter"),
        FunctionResult(value=0.75),
    ]


async def test_a_function_cannot_reach_stdin_or_stdout(check_file: Any) -> None:
    loud, asks, after = await run(check_file(SOURCE), "loud", "asks", "grade")
    assert (loud, after) == (FunctionResult(value=1.0), FunctionResult(value=1.0))
    assert "EOFError" in str(asks.error)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("broken", "ValueError: Paris (line 16)"),
        ("quits", "SystemExit: 0"),
        ("dies", "the process died (exit code 7)"),
        ("killed", "the process died (SIGKILL; perhaps this machine ran out of memory)"),
        ("eats", "MemoryError"),
    ],
)
async def test_a_failing_function_is_reported_and_the_next_answer_is_graded(
    check_file: Any, function: str, message: str
) -> None:
    broken, after = await run(check_file(SOURCE), function, "grade")
    assert broken.value is None
    assert message in str(broken.error)
    assert after == FunctionResult(value=1.0)


@pytest.mark.parametrize("function", ["sleeps", "spins"])
async def test_an_endless_function_is_killed_and_the_next_answer_is_graded(check_file: Any, function: str) -> None:
    file = check_file(SOURCE)
    async with open_workers([file]) as workers:
        call = Call(file="checks.py", function=function, case={}, timeout_s=0.05, request_id="0")
        assert await workers.run(call, file.digest) == FunctionResult(error="took more than 0.05 s")
        case = {"answer": "Paris", "expect": "Paris"}
        after = Call(file="checks.py", function="grade", case=case, timeout_s=10, request_id="0")
        assert await workers.run(after, file.digest) == FunctionResult(value=1.0)


@pytest.mark.parametrize("answer", ["nan", "two", "none", "text", "list", "odd"])
async def test_an_invalid_return_value_is_reported(check_file: Any, answer: str) -> None:
    [result] = await run(check_file(SOURCE), "strange", answer=answer)
    assert result.value is None
    assert "return a bool, a number from 0 to 1" in str(result.error)


async def test_one_process_grades_many_answers(check_file: Any) -> None:
    assert [each.value for each in await run(check_file(SOURCE), *["remembers"] * 4)] == [1, 0.5, 1 / 3, 0.25]


async def test_no_environment_secret_reaches_a_function(check_file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "canary")
    [result] = await run(check_file(SOURCE), "environment")
    assert set(result.reason.split(",")) <= {*KEPT_VARIABLES, "LC_CTYPE"}


async def test_a_file_that_cannot_be_loaded_is_reported_for_every_answer_but_tried_once(check_file: Any) -> None:
    file = check_file("import no_such_package\ndef grade(case): return True")
    first, second = await run(file, "grade", "grade")
    assert first == second
    assert "checks.py cannot be loaded: ModuleNotFoundError" in str(first.error)


async def test_the_source_that_was_loaded_with_the_suite_is_run_even_if_the_file_changes(
    check_file: Any, tmp_path: Path
) -> None:
    file = check_file(SOURCE)
    (tmp_path / "checks.py").write_text("def grade(case): return False")
    assert await run(file, "grade") == [FunctionResult(value=1.0)]
    (tmp_path / "checks.py").unlink()
    assert await run(file, "grade") == [FunctionResult(value=1.0)]


async def test_only_top_level_functions_of_the_right_version_of_a_file_are_run(check_file: Any) -> None:
    file = check_file("from os import abort\ndef grade(case): return True")
    async with open_workers([file]) as workers:
        call = Call(file="checks.py", function="grade", case={}, timeout_s=10, request_id="0")
        with pytest.raises(Unscored, match="has changed since the run was made; restore it, or run the suite again"):
            await workers.run(call, "0" * 64)
        with pytest.raises(Unscored, match="has no function 'abort' at its top level"):
            await workers.run(msgspec.structs.replace(call, function="abort"), file.digest)
        with pytest.raises(Unscored, match="never run from a run's folder"):
            await workers.run(msgspec.structs.replace(call, file="../other.py"), file.digest)


async def test_a_failing_check_leaves_the_answer_unscored_and_a_good_one_grades_it(
    check_file: Any, make_suite: Any, write_run: Any, read_scores: Callable[[RunFolder], list[Score]]
) -> None:
    file = check_file(SOURCE)
    checks = [Check(type="python", params={"file": "checks.py", "function": f}) for f in ("grade", "broken", "sees")]
    suite = make_suite(checks, graders=Graders(check_files=(file,)))
    run = write_run(suite, ("cand", "Paris"), ("cand", "Lyon"), ("cand", None))
    await score_run(run, suite, check_files=[file])
    rows = read_scores(run)
    assert [(row.value, row.passed) for row in rows] == [
        *((1.0, True), (None, None), (1.0, True)),
        *((0.0, False), (None, None), (1.0, True)),
        *[(0.0, False)] * 3,
    ]
    assert rows[1].reason == "scorer failed: broken: ValueError: Paris (line 16)"
    assert rows[2].reason == "['answer', 'citations', 'expect', 'messages', 'prompt', 'stop_reason', 'tags']"
    assert rows[8].reason == "request failed: throttled"


async def test_results_are_stored_and_the_file_is_not_run_again(
    check_file: Any, make_suite: Any, write_run: Any, read_scores: Any, tmp_path: Path
) -> None:
    file = check_file(SOURCE)
    suite = make_suite([Check(type="python", params={"file": "checks.py"})], graders=Graders(check_files=(file,)))
    run = write_run(suite, ("cand", "Paris"), ("cand", "Lyon"))
    await score_run(run, suite, check_files=[file])
    first = read_scores(run)
    (tmp_path / "checks.py").unlink()
    await score_run(run, suite)
    assert read_scores(run) == first
    assert [each.by for each in read_judgements(run.judgements_path)] == ["checks.py:grade"] * 2


async def test_a_function_that_failed_is_run_again_only_from_the_users_own_file(
    check_file: Any, make_suite: Any, write_run: Any, read_scores: Any, tmp_path: Path
) -> None:
    counted = f"""
    def grade(case):
        with open({str(tmp_path / "calls")!r}, "a+") as calls:
            calls.write(case["answer"] + " ")
            calls.seek(0)
            if len(calls.read().split()) == 1:
                raise ValueError("too busy")
        return True
    """
    file = check_file(counted)
    suite = make_suite([Check(type="python", params={"file": "checks.py"})], graders=Graders(check_files=(file,)))
    run = write_run(suite, ("cand", "Paris"), ("cand", "Lyon"))
    await score_run(run, suite, check_files=[file])
    first = read_scores(run)
    assert [row.passed for row in first] == [None, True]
    await score_run(run, suite)
    await score_run(run, suite, check_files=[msgspec.structs.replace(file, digest="0" * 64)])
    assert read_scores(run) == first
    assert (tmp_path / "calls").read_text() == "Paris Lyon "
    await score_run(run, suite, check_files=[file])
    await score_run(run, suite, check_files=[file])
    assert [row.passed for row in read_scores(run)] == [True, True]
    assert (tmp_path / "calls").read_text() == "Paris Lyon Paris "


async def test_a_half_written_judgement_is_asked_for_again(
    check_file: Any, make_suite: Any, write_run: Any, read_scores: Any
) -> None:
    file = check_file(SOURCE)
    suite = make_suite([Check(type="python", params={"file": "checks.py"})], graders=Graders(check_files=(file,)))
    run = write_run(suite, ("cand", "Paris"), ("cand", "Lyon"))
    await score_run(run, suite, check_files=[file])
    lines = run.judgements_path.read_bytes()
    run.judgements_path.write_bytes(lines[:-20])
    await score_run(run, suite, check_files=[file])
    assert [row.passed for row in read_scores(run)] == [True, False]
    assert len(list(read_judgements(run.judgements_path))) == 2


def test_an_orphaned_worker_exits() -> None:
    """A killed harness leaves no process behind."""
    first = {"source": "def spins(case):\n  while True: pass", "name": "checks.py", "memory_bytes": MEMORY_BYTES}
    call = {"function": "spins", "given": {}, "timeout_s": 0.05 - ORPHAN_S}
    lines = "".join(json.dumps(each) + "\n" for each in (first, call))
    ended = subprocess.run([sys.executable, "-I", PROGRAM], input=lines, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (-signal.SIGALRM, "{}\n")


PARENT = """
import json, subprocess, sys
worker = subprocess.Popen([sys.executable, "-I", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in sys.stdin:
    worker.stdin.write(line.encode())
    worker.stdin.flush()
    print(worker.pid if "source" in line else worker.stdout.readline(), flush=True)
"""
STUBBORN = """
import signal
def spins(case):
  for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
  while True: pass
def out_of_memory_score(case):
  return False, open("/proc/self/oom_score_adj").read()
"""


def test_a_function_that_ignores_signals_ends_when_the_harness_is_killed() -> None:
    first = {"source": STUBBORN, "name": "checks.py", "memory_bytes": MEMORY_BYTES}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        print(json.dumps(first), file=parent.stdin, flush=True)
        worker = int(parent.stdout.readline())
        print(json.dumps({"function": "spins", "given": {}, "timeout_s": 60}), file=parent.stdin, flush=True)
        assert "{}" in parent.stdout.readline()  # it is loaded, and about to spin
        parent.kill()
    wait_until(lambda: not is_running(worker))


FORKING = """
import os, signal, time
def leave_behind(path):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with open(path, "a") as file:
        file.write(f"{os.getpid()} ")
    time.sleep(60)
    os._exit(0)
def forks(case):
    if os.fork() == 0:
        leave_behind(case["path"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            leave_behind(case["path"])
        os._exit(0)
    while len(open(case["path"]).read().split()) < 2:
        time.sleep(0.01)
    return True
def forks_and_hangs(case):
    forks(case)
    time.sleep(60)
"""


@pytest.mark.parametrize(("function", "timeout_s"), [("forks", 60.0), ("forks_and_hangs", 2.0)])
async def test_what_a_function_starts_ends_with_it_in_whatever_session(
    check_file: Any, tmp_path: Path, function: str, timeout_s: float
) -> None:
    file, path = check_file(FORKING), tmp_path / "pids"
    path.touch()
    async with open_workers([file]) as workers:
        call = Call(file=file.name, function=function, case={"path": str(path)}, timeout_s=timeout_s, request_id="0")
        await workers.run(call, file.digest)
    left = [int(pid) for pid in path.read_text().split()]
    assert len(left) == 2
    wait_until(lambda: not any(map(is_running, left)))


async def test_the_system_takes_memory_from_a_function_first(check_file: Any) -> None:
    (result,) = await run(check_file(STUBBORN), "out_of_memory_score")
    assert "1000" == str(result.reason).strip()


SUITE = """\
suite: s
targets: [{model: claude-haiku-4-5, routing: global}]
prompts:
  - {id: p, prompt: "?", checks: [{type: python, file: FILE, function: FUNCTION}]}
"""


def load(folder: Path, file: str = "checks.py", function: str = "grade") -> Suite:
    path = folder / "s.yaml"
    path.write_text(SUITE.replace("FILE", file).replace("FUNCTION", function))
    return load_suite(path, validators=[check_mistakes])


def test_a_check_files_digest_is_part_of_the_suite_digest_and_of_the_stored_suite(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def grade(case): return True\n")
    first = load(tmp_path)
    (tmp_path / "suite.json").write_bytes(encode_suite(first))
    frozen = read_suite(tmp_path)
    assert frozen.digest == first.digest
    assert frozen.graders.check_files[0].digest == first.graders.check_files[0].digest
    assert frozen.graders.check_files[0].source is None
    assert str(tmp_path) not in (tmp_path / "suite.json").read_text()
    (tmp_path / "checks.py").write_text("def grade(case): return False\n")
    assert load(tmp_path).digest != first.digest


@pytest.mark.parametrize(
    ("file", "source", "function", "message"),
    [
        ("../checks.py", "", "grade", "is outside the suite's folder"),
        ("/etc/passwd", "", "grade", "is outside the suite's folder"),
        ("other.py", "", "grade", "there is no such file"),
        ("checks.py", "def grade(case:\n  pass", "grade", "is not Python at line 1"),
        ("checks.py", "def grade(case): ...", "grad", "did you mean 'grade'?"),
        ("checks.py", "grade = 5", "grade", "has no function at its top level"),
        ("checks.py", "async def grade(case): ...\ndef other(case): ...", "grade", "'grade' is not one of other"),
    ],
)
def test_a_file_that_cannot_grade_is_reported_before_anything_is_sent(
    tmp_path: Path, file: str, source: str, function: str, message: str
) -> None:
    (tmp_path / "checks.py").write_text(source)
    with pytest.raises(SuiteError) as error:
        load(tmp_path, file, function)
    [mistake] = error.value.mistakes
    assert "s.yaml:4: prompts[0].checks[0]" in mistake
    assert message in mistake


MARKER = """\
open({marker!r}, "w")
def grade(case): return True
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A file outside every suite's folder that leaves a marker when it is run."""
    path = tmp_path / "elsewhere" / "evil.py"
    path.parent.mkdir()
    path.write_text(MARKER.format(marker=str(tmp_path / "ran")))
    return path


def name_file(folder: Path, evil: Path, path: str) -> Suite:
    """The suite of a run in `folder` that names its code at `path` and also contains it."""
    home = folder.with_name("home")
    for each in (home, folder):
        each.mkdir()
    shutil.copy(evil, home / "checks.py")
    stored = json.loads(encode_suite(load(home)))
    [file] = stored["graders"]["check_files"]
    file |= {"path": path, "source": base64.b64encode(evil.read_bytes()).decode()}
    (folder / "suite.json").write_text(json.dumps(stored))
    return read_suite(folder)


@pytest.mark.parametrize("place", ["absolute", "above", "linked"])
def test_no_code_named_by_a_foreign_run_folder_is_run(
    tmp_path: Path, elsewhere: Path, write_run: Any, read_scores: Any, place: str
) -> None:
    folder = tmp_path / "theirs"
    path = {"absolute": str(elsewhere), "above": os.path.relpath(elsewhere), "linked": str(folder / "linked.py")}[place]
    frozen = name_file(folder, elsewhere, path)
    (folder / "linked.py").symlink_to(elsewhere)
    (folder / "checks.py").symlink_to(elsewhere)
    run = write_run(frozen, (frozen.targets[0].name, "Paris"))
    asyncio.run(score_run(run, frozen))
    [row] = read_scores(run)
    assert not (tmp_path / "ran").exists()
    assert row.value is None
    assert row.reason.startswith("not graded: check functions are never run from a run's folder; ")


@pytest.mark.parametrize("place", ["absolute", "above", "linked"])
def test_a_foreign_suite_cannot_name_code_outside_its_folder(tmp_path: Path, elsewhere: Path, place: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    path = {"absolute": str(elsewhere), "above": f"../elsewhere/{elsewhere.name}", "linked": "checks.py"}[place]
    if place == "linked":
        (folder / "checks.py").symlink_to(elsewhere)
    with pytest.raises(SuiteError, match="is outside the suite's folder"):
        load(folder, path)


@pytest.mark.parametrize(
    "naming",
    [
        {"dataset": "more.csv"},
        {"prices": "mine.toml"},
        {"load": {"arrival": "trace", "trace": "calls.csv"}},
        {"prompts": [{"id": "p", "messages": [{"role": "user", "content": "?"}], "documents": ["secret.txt"]}]},
        {"prompts": [{"id": "p", "messages": [{"role": "user", "content": "?"}], "images": ["secret.png"]}]},
    ],
)
def test_the_stored_suite_of_a_run_reads_no_file(tmp_path: Path, naming: dict[str, Any]) -> None:
    for name in ("more.csv", "mine.toml", "calls.csv", "secret.txt", "secret.png"):
        (tmp_path / name).write_text("id,prompt\n1,stolen\n")
    (tmp_path / "checks.py").write_text("def grade(case): return True\n")
    stored = json.loads(encode_suite(load(tmp_path)))
    (tmp_path / "suite.json").write_text(json.dumps({**stored, **naming}))
    with suppress(SuiteError):
        assert b"stolen" not in encode_suite(read_suite(tmp_path))


def test_loading_a_suite_does_not_run_its_check_files(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef grade(case): return True\n")
    load(tmp_path)
    assert not (tmp_path / "ran").exists()
