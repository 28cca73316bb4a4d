"""What an installation may bring along: every dependency has bounds, and constraints.txt has a version within them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
DEPENDENCIES = [
    Requirement(line)
    for lines in (PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values())
    for line in lines
]


@pytest.mark.parametrize("dependency", [*DEPENDENCIES, *map(Requirement, PROJECT["build-system"]["requires"])], ids=str)
def test_a_dependency_has_a_lower_and_an_upper_bound(dependency: Requirement) -> None:
    assert ["<", ">="] == sorted(bound.operator for bound in dependency.specifier)


@pytest.mark.parametrize("dependency", DEPENDENCIES, ids=str)
def test_the_tested_version_of_a_dependency_is_within_its_bounds(dependency: Requirement) -> None:
    tested = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in CONSTRAINTS)}
    assert dependency.specifier.contains(tested[canonicalize_name(dependency.name)])


def test_constraints_are_names_and_versions_in_order_each_once() -> None:
    assert [] == [line for line in CONSTRAINTS if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)]
    names = [canonicalize_name(line.partition("==")[0]) for line in CONSTRAINTS]
    assert sorted(set(names)) == names
