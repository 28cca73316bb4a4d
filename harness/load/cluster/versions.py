"""What is installed on a node, compared with what is installed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping


def make_probe() -> Callable[[], dict[str, str]]:
    """A function that looks up the versions on a node.

    It is sent there as code, because functions inside others are, so that it also runs where the harness is missing.
    """

    def probe() -> dict[str, str]:
        import hashlib
        import platform
        from pathlib import Path

        found = {"python": ".".join(platform.python_version_tuple()[:2])}
        try:
            import harness
        except ImportError:
            return found
        found["harness"] = str(harness.__version__)
        try:
            from harness.store.records import SCHEMA_VERSION
            from harness.suite.suite import Suite  # noqa: F401
        except ImportError:
            return found
        files = sorted(Path(harness.__file__).parent.rglob("*.py"))
        digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in files)).hexdigest()
        return {**found, "schema": str(SCHEMA_VERSION), "files": digest[:12]}

    return probe


def mismatch(there: Mapping[str, str], here: Mapping[str, str]) -> str | None:
    """`has harness 0.1.0 with Python 3.12, and this machine has harness 0.2.0 with Python 3.11`. None: they match."""
    if there == here:
        return None
    if "harness" not in there:
        return f"has Python {there['python']} without harness, and this machine has {_named(here)}"
    return f"has {_named(there)}, and this machine has {_named(here)}"


def _named(found: Mapping[str, str]) -> str:
    schema = f", schema {found['schema']}, files {found['files']}" if "schema" in found else ""
    return f"harness {found['harness']} (Python {found['python']}{schema})"
