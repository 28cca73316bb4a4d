"""The house, held: who may import whom, who reads clocks, and what a command that computes nothing may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import harness
from harness.cli import COMMANDS

PACKAGE = Path(harness.__file__).parent
GROUND = ("errors", "clock", "characters", "secrets", "files")
ROOMS = (
    "catalog",
    "suite",
    "endpoints",
    "store",
    "load",
    "scoring",
    "analysis",
    "report",
    "simulator",
    "cli",
    "library",
)
SIMULATOR_MAY = {*GROUND, "catalog", "endpoints.dialects.eventstream"}
CLOCKS = {"time", "monotonic", "monotonic_ns", "time_ns", "perf_counter", "perf_counter_ns", "process_time",
          "process_time_ns", "now", "utcnow", "today"}  # fmt: skip
HEAVY = {"numpy", "scipy", "matplotlib", "duckdb", "aioboto3", "boto3", "botocore", "aiohttp", "anthropic", "pydantic",
         "genai_prices", "bedrock_models", "jsonschema", "jinja2", "uvloop", "yaml", "rich.console"}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 60
"""Of a function, with its docstring."""
MOST_FILES = 13
"""In a folder, its `__init__` among them."""
ORDER = {
    "catalog": "names sources live models limits regions mantle target prices refusals price_file",
    "suite": "fields suite grammar targets digest check outline generate private_texts read prompts loader stored "
    "write derived from_log",
    "endpoints": "base reply dialects failures aiohttp_session credentials aws address request read_tape sdk wire "
    "invocation_log account",
    "store": "records finding files client_health parquet journal manifest conversion run_folder query opening "
    "baselines bucket",
    "load": "arrivals stop interrupts plan forecast reservation limits preflight progress watch sender recorder "
    "runner "
    "session sweep workers cluster",
    "scoring": "scorer text judgements judge_prompt python checks scorers judging score",
    "analysis": "columns loader metrics stats stalls findings validity summary past_runs compare run_list "
    "breakdown answers past_churn past_stalls sweep history against_history reconcile",
    "report": "plots section wording terminal markdown html page live drawing compare run figures history "
    "against_history sweep reconcile export webhook index write",
    "simulator": "faults truth http aws model dialects performance streams operations injection invocation_log service "
    "server",
    "cli": "remote places options output signals index syncing printing running commands",
    "library": "run running",
}
"""What is in each room, files and folders, in the order in which to read them: each imports from those before it."""


def room_of(path: Path) -> str:
    """`catalog` for harness/catalog/models.py, `clock` for harness/clock.py, `` for harness/__init__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """What a module imports from the package, `catalog.models`, at its top or inside a function."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (each.name.removeprefix("harness.") for each in node.names if each.name.startswith("harness."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            if node.module == "harness":
                yield from (each.name for each in node.names if not each.name.startswith("__"))
            elif node.module is not None and node.module.startswith("harness."):
                place = node.module.removeprefix("harness.")
                yield from (f"{place}.{each.name}" for each in node.names)


def may_import(room: str) -> set[str]:
    if room in ("", *GROUND):
        return set(GROUND) | ({"cli", "library"} if room == "" else set())
    above = {*GROUND, *ROOMS[: ROOMS.index(room) + 1]}
    return above if room == "cli" else above - {"simulator"}


def test_a_room_imports_only_from_rooms_above_it() -> None:
    wrong = []
    for path in MODULES:
        room = room_of(path)
        may = {*SIMULATOR_MAY, "simulator"} if room == "simulator" else may_import(room)
        wrong += [
            f"{path.relative_to(PACKAGE)}: {place}"
            for place in imports_of(path)
            if not any(place == allowed or place.startswith(f"{allowed}.") for allowed in may)
        ]
    assert [] == wrong


def test_inside_a_room_each_file_and_folder_imports_only_from_those_before_it() -> None:
    wrong = []
    for path in MODULES:
        room, *rest = path.relative_to(PACKAGE).with_suffix("").parts
        if room not in ORDER or rest == ["__init__"]:
            continue
        order = ORDER[room].split()
        before = order[: order.index(rest[0]) + 1]
        inside = (place.split(".") for place in imports_of(path) if place.startswith(f"{room}."))
        wrong += [f"{path.relative_to(PACKAGE)}: {'.'.join(place)}" for place in inside if not _is_from(place, before)]
    assert [] == wrong


def _is_from(place: list[str], units: list[str]) -> bool:
    """Whether an import is of one of a room's units, or of a name in the room's own `__init__`."""
    return place[1] in units or not list((PACKAGE / place[0]).glob(f"{place[1]}*"))


def test_every_file_and_folder_of_a_room_has_its_place_in_the_order() -> None:
    for room, order in ORDER.items():
        inside = {
            path.relative_to(PACKAGE / room).parts[0].removesuffix(".py") for path in MODULES if room_of(path) == room
        }
        assert inside - {"__init__"} == set(order.split())


def test_no_import_leads_back_to_where_it_began() -> None:
    names = {".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") for path in MODULES}
    graph = {
        name: {place if place in names else place.rpartition(".")[0] for place in imports_of(path)} - {name}
        for path in MODULES
        for name in [".".join(path.relative_to(PACKAGE).with_suffix("").parts)]
    }
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_no_folder_is_crowded() -> None:
    files = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in MODULES)
    assert {} == {folder: count for folder, count in files.items() if count > MOST_FILES}


def test_no_function_is_longer_than_a_page() -> None:
    functions = ((path, each) for path in MODULES for each in ast.walk(parsed(path)))
    assert [] == [
        f"{path.relative_to(PACKAGE)}:{each.lineno} {each.name}"
        for path, each in functions
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and (each.end_lineno or 0) - each.lineno >= MOST_LINES
    ]


def test_only_the_clock_reads_clocks() -> None:
    readings = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in MODULES
        if path.name != "clock.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name)
        and node.value.id in ("time", "datetime", "date")
    ]
    assert [] == readings


def test_every_room_is_in_the_house() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(ROOMS) == folders


def test_every_file_states_its_job_and_keeps_to_it() -> None:
    silent = [str(path) for path in MODULES if not ast.get_docstring(parsed(path))]
    long = [str(path) for path in MODULES if path.read_text(encoding="utf-8").count("\n") > 400]
    assert ([], []) == (silent, long)


def loaded_by(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, sep='\\n', file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stderr.split())


def loaded_by_command(*arguments: str) -> set[str]:
    """The modules that a command has loaded when it ends well."""
    return loaded_by(
        f"from harness.cli import main\nsys.argv = {['harness', *arguments]!r}\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )


def test_help_loads_nothing_heavy_no_event_loop_and_nothing_that_a_table_needs() -> None:
    assert set() == (HEAVY | {"asyncio", "msgspec", "tempfile", "ssl"}) & loaded_by_command("--help")


def test_the_help_of_a_command_loads_no_other_and_nothing_heavy() -> None:
    wrong = {}
    for name in COMMANDS:
        others = {place.partition(":")[0] for command, place in COMMANDS.items() if command != name}
        loaded = loaded_by_command(name, "-h")
        wrong[name] = (others | HEAVY) & loaded - {"pydantic"}  # typer's own choice, where it finds it
    assert {} == {name: found for name, found in wrong.items() if found}


def test_completion_loads_no_other_command_and_nothing_heavy() -> None:
    loaded = loaded_by(
        "import os\n"
        "os.environ.update(_HARNESS_COMPLETE='complete_bash', COMP_WORDS='harness report 2', COMP_CWORD='2')\n"
        "from harness.cli import main\nsys.argv = ['harness']\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    )
    assert set() == loaded & {*HEAVY, "msgspec", "harness.cli.commands.query"} - {"pydantic"}


def test_importing_harness_loads_none_of_it() -> None:
    assert {"harness"} == {name for name in loaded_by("import harness") if name.split(".")[0] in {"harness", *HEAVY}}


def test_every_public_name_is_there_documented_and_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
    assert set(harness.__all__) <= set(dir(harness))
    assert [] == [name for name in harness.__all__ if not getattr(harness, name).__doc__]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        harness.nothing  # noqa: B018


def test_the_simulator_loads_nothing_that_it_does_not_need() -> None:
    loaded = loaded_by("import harness.simulator.server")
    assert set() == loaded & {"numpy", "duckdb", "matplotlib", "aioboto3", "botocore", "anthropic", "genai_prices"}
