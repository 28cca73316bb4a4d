"""The baselines of suites, in `baselines.json` next to the runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from harness.errors import StoreError
from harness.files import read_bounded
from harness.store.files import one_writer, write_atomically
from harness.store.run_folder import RunFolder

DEFAULT_NAME = "default"
FILE = "baselines.json"

MAX_BYTES = 10_000_000

FolderName = Annotated[str, msgspec.Meta(pattern=r"\A(?!\.\.?\Z)[^/\0]+\Z")]
Baselines = dict[str, dict[str, FolderName]]
"""Suite → baseline name → name of the run's folder."""


def read_baselines(results: Path) -> Baselines:
    """The stored baselines; empty if none is set. StoreError: the file cannot be read."""
    path = results / FILE
    try:
        return msgspec.json.decode(read_bounded(path, max_bytes=MAX_BYTES), type=Baselines)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{path}: {error}; fix the file, or delete it and set the baselines again") from error


def set_baseline(run: RunFolder, *, name: str = DEFAULT_NAME) -> None:
    """Make a run its suite's baseline, replacing an earlier one of this name. StoreError: it cannot be written."""
    folder, suite = run.path.resolve(), run.read_manifest().suite
    change_local_baselines(folder.parent, lambda stored: with_baseline(stored, suite, name, folder.name))


def with_baseline(baselines: Baselines, suite: str, name: str, run: str) -> Baselines:
    """These baselines, with another run under a suite and a name."""
    return {**baselines, suite: {**baselines.get(suite, {}), name: run}}


def change_local_baselines(results: Path, change: Callable[[Baselines], Baselines]) -> None:
    """Replace the stored baselines by what `change` makes of them. StoreError: they cannot be read or written."""
    with one_writer(results):
        write_atomically(results / FILE, encode_baselines(change(read_baselines(results))))


def encode_baselines(baselines: Baselines) -> bytes:
    return msgspec.json.format(msgspec.json.encode(baselines, order="sorted"), indent=2) + b"\n"


def find_baseline(results: Path, suite: str, *, name: str = DEFAULT_NAME) -> str | None:
    """The folder name of a suite's baseline. None: not set."""
    return read_baselines(results).get(suite, {}).get(name)
