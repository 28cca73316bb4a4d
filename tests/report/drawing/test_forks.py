"""Work shared among forked copies of a process: in a process of its own, which has no threads yet."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.report.drawing.forks import map_in_forks
from harness.report.write import draw_figure

START = """
import os, pickle, signal, sys, threading
from harness.report.drawing.forks import can_fork, map_in_forks
os.sched_getaffinity = lambda process: {0, 1}  # a machine of one core forks, too
first = os.getpid()
"""


def run_alone(code: str, *arguments: str | Path) -> list[str]:
    """What the code prints in a fresh process, line by line."""
    ended = subprocess.run(
        [sys.executable, "-c", START + code, *map(str, arguments)],
        env={"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout.splitlines()


def test_results_come_in_order_from_copies() -> None:
    code = "found = map_in_forks(lambda n: (10 * n, os.getpid() != first), range(20)); print(found)"
    assert [str([(10 * n, True) for n in range(20)])] == run_alone(code)


def test_what_a_killed_copy_does_not_return_is_computed_here() -> None:
    code = """
def job(n):
    if n == 3 and os.getpid() != first:
        os.kill(os.getpid(), signal.SIGKILL)
    return n, os.getpid() == first
print(map_in_forks(job, range(6))[3])
"""
    assert ["(3, True)"] == run_alone(code)


def test_what_a_copy_has_sent_half_of_when_it_is_killed_is_computed_here() -> None:
    code = """
def job(n):
    if n == 3 and os.getpid() != first:
        pipe = sys._getframe(1).f_locals["results"]
        os.write(pipe.fileno(), (1_000).to_bytes(4, "big") + b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)
    return n, os.getpid() == first
print(map_in_forks(job, range(6))[3])
"""
    assert ["(3, True)"] == run_alone(code)


def test_an_error_is_raised_here_and_the_copies_end() -> None:
    code = """
try:
    map_in_forks(lambda n: 1 / (n - 2), range(6))
except ZeroDivisionError as error:
    print(error)
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no copies")
"""
    assert ["division by zero", "no copies"] == run_alone(code)


def test_with_other_threads_everything_is_computed_here() -> None:
    code = """
over = threading.Event()
threading.Thread(target=over.wait).start()
print(can_fork(), map_in_forks(lambda n: os.getpid() == first, range(3)))
over.set()
"""
    assert ["False [True, True, True]"] == run_alone(code)


def test_nothing_is_asked_of_copies_for_a_single_item() -> None:
    assert [7] == map_in_forks(lambda n: 7 * n, [1])


def test_figures_are_the_same_bytes_from_copies_and_from_here(make_run: Any, tmp_path: Path) -> None:
    view, names = make_run(), ("latency_ecdf", "errors")
    (tmp_path / "view").write_bytes(pickle.dumps(view))
    code = """
from pathlib import Path
from harness.report import write
view = pickle.loads(Path(sys.argv[1], "view").read_bytes())
draw = write.draw_figure
write.draw_figure = lambda name, view, formats: (os.getpid() != first, draw(name, view, formats))
write.FIGURES = {name: write.FIGURES[name] for name in sys.argv[2:]}
Path(sys.argv[1], "pictures").write_bytes(pickle.dumps(write.draw_run(view)))
"""
    run_alone(code, tmp_path, *names)
    here = [(True, draw_figure(name, view)) for name in names]
    assert here == pickle.loads((tmp_path / "pictures").read_bytes())
