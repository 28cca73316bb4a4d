"""Async multi-model evaluation and load-test harness for Claude on Amazon Bedrock.

For a script or a notebook: `harness.run` sends a suite, `harness.open_run` opens a run, and both return a `Run`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.errors import (
        CatalogError,
        CompareError,
        EndpointError,
        HarnessError,
        RunInvalid,
        StoreError,
        SuiteError,
    )
    from harness.library.run import Run, open_run
    from harness.library.running import run

__version__ = "0.1.0"
__all__ = [
    "CatalogError",
    "CompareError",
    "EndpointError",
    "HarnessError",
    "Run",
    "RunInvalid",
    "StoreError",
    "SuiteError",
    "open_run",
    "run",
]
_ELSEWHERE = {"Run": "harness.library.run", "open_run": "harness.library.run", "run": "harness.library.running"}
"""Name → its module; the errors are in `harness.errors`."""


def __getattr__(name: str) -> object:
    """A public name, whose module is imported at its first use, so that `import harness` is quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "harness.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
