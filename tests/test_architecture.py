"""The house, held: who may import whom, who reads clocks, and what a command that computes nothing may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.cli import COMMANDS

PACKAGE = Path(harness.__file__).parent
GROUND = ("errors", "clock", "characters", "secrets")
ROOMS = ("catalog", "suite", "endpoints", "store", "load", "scoring", "analysis", "report", "simulator", "cli")
SIMULATOR_MAY = {*GROUND, "catalog", "endpoints.eventstream"}
CLOCKS = {"time", "monotonic", "monotonic_ns", "time_ns", "perf_counter", "perf_counter_ns", "process_time",
          "process_time_ns", "now", "utcnow", "today"}  # fmt: skip
HEAVY = {"numpy", "scipy", "matplotlib", "duckdb", "aioboto3", "boto3", "botocore", "aiohttp", "anthropic", "pydantic",
         "genai_prices", "bedrock_models", "jsonschema", "jinja2", "uvloop", "yaml", "rich.console"}  # fmt: skip
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """`catalog` for harness/catalog/models.py, `clock` for harness/clock.py, `` for harness/__init__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """What a module imports from the package, `catalog.models`, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
        return set(GROUND) | ({"cli"} if room == "" else set())
    above = {*GROUND, *ROOMS[: ROOMS.index(room) + 1]}
    return above if room == "cli" else above - {"simulator"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_above_it(path: Path) -> None:
    room = room_of(path)
    if room == "simulator":
        strangers = {
            place
            for place in imports_of(path)
            if not any(place == allowed or place.startswith(f"{allowed}.") for allowed in {*SIMULATOR_MAY, "simulator"})
        }
    else:
        strangers = {place for place in imports_of(path) if place.partition(".")[0] not in may_import(room)}
    assert set() == strangers


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_clock_reads_clocks(path: Path) -> None:
    if path.name == "clock.py":
        return
    readings = [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCKS
        and isinstance(node.value, ast.Name)
        and node.value.id in ("time", "datetime", "date")
    ]
    assert [] == readings


def test_every_room_is_in_the_house() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(ROOMS) == folders


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_states_its_job_and_keeps_to_it(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert source.count("\n") <= 400


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


def test_help_loads_nothing_heavy() -> None:
    assert set() == HEAVY & loaded_by_command("--help")


def test_help_loads_no_event_loop_and_nothing_that_a_table_needs() -> None:
    assert set() == {"asyncio", "msgspec", "tempfile", "ssl"} & loaded_by_command("--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_no_other(name: str) -> None:
    others = {place.partition(":")[0] for command, place in COMMANDS.items() if command != name}
    assert set() == others & loaded_by_command(name, "-h")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_loads_nothing_heavy(name: str) -> None:
    assert set() == (HEAVY & loaded_by_command(name, "-h")) - {"pydantic"}  # typer's own choice, where it finds it


def test_the_simulator_loads_nothing_that_it_does_not_need() -> None:
    loaded = loaded_by("import harness.simulator.server")
    assert set() == loaded & {"numpy", "duckdb", "matplotlib", "aioboto3", "botocore", "anthropic", "genai_prices"}
