"""The baselines of suites, in `baselines.json` next to the runs."""

from __future__ import annotations

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
    folder = run.path.resolve()
    with one_writer(folder.parent):
        baselines = read_baselines(folder.parent)
        baselines.setdefault(run.read_manifest().suite, {})[name] = folder.name
        text = msgspec.json.format(msgspec.json.encode(baselines, order="sorted"), indent=2)
        write_atomically(folder.parent / FILE, text + b"\n")


def find_baseline(results: Path, suite: str, *, name: str = DEFAULT_NAME) -> str | None:
    """The folder name of a suite's baseline. None: not set."""
    return read_baselines(results).get(suite, {}).get(name)
