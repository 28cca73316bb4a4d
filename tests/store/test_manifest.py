"""The run's clock, which stands still between the sessions of a run that was resumed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.store.manifest import Resumption
from harness.store.run_folder import RunFolder


def test_stamps_are_turned_into_the_wall_clock_of_their_session(make_run: Callable[..., RunFolder]) -> None:
    sessions = (Resumption(at_ns=100, utc_ns=5000), Resumption(at_ns=130, utc_ns=9000))
    manifest = msgspec.structs.replace(make_run().read_manifest(), origin_utc_ns=1000, resumed=sessions)
    stamps = {0: 1000, 100: 1100, 101: 5001, 130: 5030, 131: 9001, 200: 9070}
    assert stamps == {at_ns: manifest.utc_ns(at_ns) for at_ns in stamps}
