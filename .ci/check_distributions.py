"""Compares the wheel and the sdist in a folder with the repository: the whole package, and nothing beside it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
SOURCES = {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "constraints.txt", "pyproject.toml"}

root, folder = Path(__file__).parents[1], Path(sys.argv[1])
package = set(subprocess.check_output(["git", "ls-files", "harness"], cwd=root, text=True).splitlines())
assert {"harness/py.typed", "harness/catalog/documented.toml", "harness/report/templates/page.js"} <= package

[wheel] = folder.glob("*.whl")
release = wheel.name.removesuffix("-py3-none-any.whl")
with zipfile.ZipFile(wheel) as archive:
    in_wheel = set(archive.namelist())
[sdist] = folder.glob("*.tar.gz")
with tarfile.open(sdist) as archive:
    in_sdist = {member.name for member in archive.getmembers()}

wrong = {
    wheel.name: in_wheel ^ package ^ {f"{release}.dist-info/{name}" for name in METADATA},
    sdist.name: in_sdist ^ {f"{release}/{name}" for name in package | SOURCES},
}
mistakes = [f"{archive}: missing, or too much: {name}" for archive in wrong for name in sorted(wrong[archive])]
if mistakes:
    sys.exit("\n".join(mistakes))
print(f"{wheel.name}, {sdist.name}: {len(package)} files of the package, no other")
