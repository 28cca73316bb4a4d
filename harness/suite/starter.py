"""The starter suite that `harness init` writes."""

from __future__ import annotations

import re
from importlib.resources import files

import yaml

from harness.errors import SuiteError
from harness.suite.frozen import SuiteDumper
from harness.suite.grammar.fields import SUITE_NAME


def starter_suite(name: str) -> str:
    """The YAML of a small, commented suite of that name. SuiteError: the name cannot be a suite's."""
    if not re.fullmatch(SUITE_NAME, name) or len(name) > 64:
        raise SuiteError([f"{name!r} cannot be a suite's name; letters, digits, '.', '_' and '-' can, at most 64"])
    text = files("harness.suite").joinpath("starter.yaml").read_text(encoding="utf-8")
    named = yaml.dump({"suite": name}, Dumper=SuiteDumper)  # in quotes where YAML would read a number or a date
    before, _, after = text.partition("suite: NAME\n")
    return before.replace("NAME", name) + named + after.replace("NAME", name)
