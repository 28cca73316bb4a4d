"""Places on the command line: what takes a path takes one of this machine, and refuses an address."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import HarnessError

RESULTS = Path("results")
"""Where runs are kept, unless the command says otherwise."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""Two letters at least: `C:/results` is a path."""


def local_path(written: str | Path) -> Path:
    """The `parser` of every option and argument that is a path.

    HarnessError for `s3://` or any other scheme: it would become a folder of that name here.
    """
    found = _SCHEME.match(str(written))
    if found is None:
        return Path(written)
    scheme = found[1].lower()
    how = "leave file:// out" if scheme == "file" else "use a folder here, and copy it there or from there yourself"
    raise HarnessError(f"{written}: {scheme}:// is not a path on this machine; {how}")
