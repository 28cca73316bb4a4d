"""Compares constraints.txt with what is installed beside the Python that runs this: nothing more, nothing less."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

OURS = {"harness", "pip", "setuptools"}
"""The package itself, and what `python -m venv` installs."""


lines = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8").split()
listed = {f"{canonicalize_name(name)}=={version}" for name, _, version in (line.partition("==") for line in lines)}
found = {
    f"{canonicalize_name(each.name)}=={each.version}"
    for each in distributions()
    if canonicalize_name(each.name) not in OURS
}

mistakes = [
    *(f"constraints.txt: {line} is missing; add it" for line in sorted(found - listed)),
    *(f"constraints.txt: {line} is not installed; remove it" for line in sorted(listed - found)),
]
if mistakes:
    sys.exit("\n".join(mistakes))
print(f"constraints.txt: the {len(found)} packages that are installed")
