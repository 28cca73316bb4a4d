"""What ends a target, or the whole load, early: too many errors (`stop.max_error_rate`), or failed credentials."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

import msgspec

from harness.endpoints.reply import Reply
from harness.load.stop import Reason, Stop
from harness.suite.suite import StopRules, Suite

ALL_STOPPED = Reason(
    what="every target was stopped, as too many of its requests failed",
    remedy="mend what the errors name, then run the suite again",
)
TARGET_STOPPED = Reason(what="too many of its requests failed", remedy="")
MESSAGE_CHARS = 200


class StoppedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Why a target was stopped."""

    target: str
    requests: int
    """The latest measured ones."""
    failures: dict[str, int]
    """Of these requests: by error kind of the last attempt, the most frequent first."""


class ErrorWindow:
    """The latest measured requests of a target: at least `rules.window`, once there were so many."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._parts: deque[tuple[int, Mapping[str, int]]] = deque()
        self.requests = 0
        self.failures: Counter[str] = Counter()

    def add(self, requests: int, failures: Mapping[str, int]) -> None:
        """Count requests that have ended, and forget the oldest. `failures`: how many failed, by error kind."""
        self._parts.append((requests, failures))
        self.requests += requests
        self.failures.update(failures)
        while self.requests - self._parts[0][0] >= self._rules.window:
            oldest, failed = self._parts.popleft()
            self.requests -= oldest
            self.failures.subtract(failed)

    @property
    def is_exceeded(self) -> bool:
        """Whether the window is full, and a larger share of it failed than the rules allow."""
        if self.requests < self._rules.window:
            return False
        return self.failures.total() > self._rules.max_error_rate * self.requests


class ErrorGuard:
    """Stops a target once too many of its latest measured requests have failed, and the load once all are stopped."""

    def __init__(
        self,
        suite: Suite,
        stopped: dict[str, StoppedTarget],
        *,
        has_sent_all: Callable[[str], bool],
        stop_target: Callable[[str], object],
        stop: Stop,
    ) -> None:
        """Every target that is stopped is added to `stopped`, and `stop_target` gets its name.

        A target that `has_sent_all` of its requests is not stopped.
        """
        rules = suite.stop
        names = [] if rules is None else [target.name for target in suite.targets]
        self._windows = {name: ErrorWindow(rules) for name in names if rules is not None}
        self._has_sent_all = has_sent_all
        self._stop_target = stop_target
        self._stop = stop
        self._stopped = stopped

    def count(self, target: str, requests: int, failures: Mapping[str, int]) -> None:
        """Count measured requests that have ended. `failures`: how many of them failed, by error kind."""
        window = self._windows.get(target)
        if window is None or target in self._stopped or not requests:
            return
        window.add(requests, failures)
        if not window.is_exceeded or self._has_sent_all(target):
            return
        kinds = {kind: count for kind, count in window.failures.most_common() if count}
        self._stopped[target] = StoppedTarget(target=target, requests=window.requests, failures=kinds)
        self._stop_target(target)
        if len(self._stopped) == len(self._windows):
            self._stop.request(ALL_STOPPED)


def credentials_failed(target: str, region: str, reply: Reply) -> Reason:
    """Why a run ends whose credentials the service, or the chain they come from, refuses."""
    why = ": ".join(each[:MESSAGE_CHARS] for each in (reply.error_code, reply.error_message) if each)
    return Reason(
        what=f"the credentials failed ({target} in {region}): {why}",
        remedy="renew them (with SSO: `aws sso login`), or enable the Region in the account; check them with "
        "`harness doctor`, then use `harness run --resume RUN`",
    )
