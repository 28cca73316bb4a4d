"""The live view of a load as text: a frame for a terminal, or a line for a file or a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from rich.cells import cell_len
from rich.text import Text

from harness.characters import counted, printable
from harness.load.progress import Progress, Tally, sum_tallies
from harness.report.live.findings import LiveFindings
from harness.report.live.rates import Recent
from harness.report.live.schedule import target_schedules
from harness.report.section import Cell, Column, Mark, Table
from harness.report.terminal import GAP, STYLES, table_lines
from harness.report.wording import MISSING, sentence, shorten
from harness.store.finding import Finding
from harness.suite.suite import Suite

NAME_WIDTH = 12
"""Columns are left out before names get narrower than this."""
WIDE = 100
"""Columns of a terminal that has room for the output speed."""
FINDING_LINES = 3
SHORTEST_HEIGHT = 8


class LiveView:
    """What there is to see of a running load. Times in seconds after the load began."""

    def __init__(self, progress: Progress, suite: Suite, *, scheduled: bool = True) -> None:
        """`scheduled`: the load keeps to the suite's schedule; a sweep finds its own rates."""
        self._progress = progress
        self._suite = suite
        self._schedules = target_schedules(suite) if scheduled else {}
        self._recent = Recent(progress)
        self._checks = LiveFindings(suite, progress)
        self._wait = _wait_name([target.stream for target in suite.targets])
        self._columns = _columns(self._wait)
        self._names = {name: printable(name) for name in progress.tallies}
        self._short_names = dict(zip(progress.tallies, _short_names(list(self._names.values())), strict=True))
        self.findings: Mapping[tuple[str, str], Finding] = {}
        """The findings so far, by kind and target."""

    def observe(self, at_s: float) -> None:
        """Look at the counts of now. To be called before every frame or line."""
        self._recent.observe(at_s)
        self.findings = self._checks.check(self._recent, at_s)

    def lines(self, at_s: float, width: int, height: int) -> list[Text]:
        """A frame of at most `width` × `height` characters: targets, their errors, findings, and the load as a whole.

        If not all targets fit, those with the most errors and requests in flight are shown.
        """
        tallies = self._progress.tallies
        room = max(height, SHORTEST_HEIGHT) - 2 - (len(tallies) > 1)
        findings = self._finding_lines(width, max(FINDING_LINES, room // 3))
        errors = self._error_lines(width, max(1, (room - len(findings)) // 4))
        return [
            *self._table(at_s, width, room - len(findings) - len(errors)),
            Text(shorten(self._status(at_s), width), style="bold"),
            *errors,
            *findings,
        ]

    def line(self, at_s: float) -> str:
        """The load as a whole on one line."""
        total = self._progress.total
        failed = counted(total.failed, "error")
        if throttled := total.errors.get("throttled"):
            failed += f" ({throttled:,} throttled)"
        return (
            f"{at_s:5.0f} s  {_done(total, self._progress.planned_in_all)} done, {total.in_flight} in flight, "
            f"{failed}, {self._spent()}, {self._rate(at_s)} req/s, {self._wait} p50/p95 {_wait_cell(total)}, "
            f"{self._left(at_s)}"
        )

    def _status(self, at_s: float) -> str:
        """`12 s, about 30 s left, $0.12 of $5.00`."""
        return f"{at_s:.0f} s, {self._left(at_s)}, {self._spent()}"

    def _table(self, at_s: float, width: int, most_rows: int) -> list[Text]:
        tallies, planned = self._progress.tallies, self._progress.planned
        shown = _worst(tallies, max(1, most_rows))
        rows = [[name, *self._cells(tallies[name], planned, self._rate(at_s, name), at_s)] for name in shown]
        hidden = [name for name in tallies if name not in shown]
        if hidden:
            rest = sum_tallies(*(tallies[name] for name in hidden))
            whole = None if planned is None else planned * len(hidden)
            rows.append([f"and {len(hidden)} more", *self._cells(rest, whole, self._rate(at_s, *hidden), at_s)])
        if len(tallies) > 1:
            total, whole = self._progress.total, self._progress.planned_in_all
            rows.append(["total", *self._cells(total, whole, self._rate(at_s), at_s)])
        columns = self._columns if width >= WIDE else self._columns[:-1]
        room = width - _width_of_others(columns, rows)
        names = self._names if max(cell_len(self._names[name]) for name in shown) <= room else self._short_names
        for row in rows[: len(shown)]:
            row[0] = names[str(row[0])]
        return table_lines(Table(columns=columns, rows=rows), width, name_width=NAME_WIDTH)

    def _cells(self, tally: Tally, planned: int | None, rate: str, at_s: float) -> list[Cell]:
        """The cells after the name."""
        speed = tally.output_tokens / at_s if at_s > 0 else 0.0
        cost = "unknown" if tally.unpriced and not tally.cost_usd else _dollars(tally.cost_usd)
        errors: Cell = Mark(f"{tally.failed}", "bad") if tally.failed else "0"
        return [_done(tally, planned), f"{tally.in_flight}", rate, _wait_cell(tally), errors, cost, f"{speed:.0f}"]

    def _rate(self, at_s: float, *names: str) -> str:
        """`9.8/10`: the achieved and the offered rate of these targets, or of all; closed loads have none offered."""
        names = names or tuple(self._progress.tallies)
        achieved = _rate_text(sum(self._recent.achieved_per_s(name) for name in names))
        if not self._schedules:
            return achieved
        return f"{achieved}/{_rate_text(sum(self._schedules[name].offered_per_s(at_s) or 0.0 for name in names))}"

    def _spent(self) -> str:
        spent, budget_usd = _dollars(self._progress.cost_usd), self._suite.budget_usd
        return spent if budget_usd is None else f"{spent} of ${budget_usd:,.2f}"

    def _left(self, at_s: float) -> str:
        """The time left: until the schedule ends; by the share of finished requests or the duration without one.

        After that, while requests are still in flight, by the share of finished requests alone.
        """
        load, done, planned = self._suite.load, self._progress.done, self._progress.planned_in_all
        ends_s = [each.end_s for each in self._schedules.values()]
        if ends_s and None not in ends_s and (left_s := max(end for end in ends_s if end is not None) - at_s) > 0:
            return f"about {left_s:.0f} s left"
        left = [load.duration_s - at_s] if load.duration_s is not None and load.duration_s > at_s else []
        if planned is not None and done:
            left.append(at_s * (planned - done) / done)
        return f"about {min(left):.0f} s left" if left else "time left unknown"

    def _error_lines(self, width: int, most: int) -> list[Text]:
        """Errors by kind, a line for each target that has any, the worst first."""
        failing = sorted(
            ((name, tally) for name, tally in self._progress.tallies.items() if tally.errors),
            key=lambda each: -each[1].failed,
        )
        shown = failing if len(failing) <= most else failing[: most - 1]
        lines = [Text(f"{_kinds(tally)}: {printable(name)}") for name, tally in shown]
        if len(shown) < len(failing):
            rest = sum_tallies(*(tally for _, tally in failing[len(shown) :]))
            lines.append(Text(f"{_kinds(rest)}: {counted(len(failing) - len(shown), 'other target')}"))
        return [_cut(line, width) for line in lines]

    def _finding_lines(self, width: int, most: int) -> list[Text]:
        """The findings, wrapped; each in at most `FINDING_LINES`, those that do not fit as a number."""
        lines: list[Text] = []
        for i, finding in enumerate(self.findings.values()):
            wrapped = list(_wrapped(finding, width))
            last = i + 1 == len(self.findings)
            if len(lines) + len(wrapped) + (not last) > most:
                return [*lines, Text(f"! {counted(len(self.findings) - i, 'more finding')}", style=STYLES["warn"])]
            lines += wrapped
        return lines


def _wrapped(finding: Finding, width: int) -> Iterator[Text]:
    text = f"! {sentence(finding)}"
    style = STYLES["bad" if finding.invalidates else "warn"]
    for line in wrap(text, width, subsequent_indent="  ", max_lines=FINDING_LINES, placeholder=" …"):
        yield _cut(Text(line, style=style), width)


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    return line


def _wait_name(streams: Sequence[bool]) -> str:
    """What the latency column shows: both kinds may be in one table."""
    return "TTFT" if all(streams) else "TTFT or E2E" if any(streams) else "E2E"


def _worst(tallies: Mapping[str, Tally], most: int) -> list[str]:
    """The targets to show, in the suite's order; one line less than `most` if some are left out."""
    if len(tallies) <= most:
        return list(tallies)
    ranked = sorted(tallies, key=lambda name: (-tallies[name].failed, -tallies[name].in_flight))
    kept = set(ranked[: max(1, most - 1)])
    return [name for name in tallies if name in kept]


def _columns(wait: str) -> list[Column]:
    headings = (("target", 9), ("done", 7), ("in flight", 3), ("req/s", 4), (f"{wait} p50/p95", 5), ("errors", 8),
                ("cost", 6), ("tokens/s", 1))  # fmt: skip
    return [Column(heading=heading, weight=weight) for heading, weight in headings]


def _width_of_others(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> int:
    """The width of the columns after the names."""
    return sum(
        GAP + max(len(column.heading), *(len(_text(row[i])) for row in rows)) for i, column in enumerate(columns) if i
    )


def _short_names(names: Sequence[str]) -> list[str]:
    """The names without the parts that all have in common: `global`, `us` for two routings of one model and api."""
    parts = [name.split("/") for name in names]
    if len(parts) == 1 or len({len(each) for each in parts}) > 1:
        return list(names)
    differing = [at for at, same in enumerate(zip(*parts, strict=True)) if len(set(same)) > 1]
    return ["/".join(each[at] for at in differing) for each in parts] if differing else list(names)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Mark) else str(cell)


def _done(tally: Tally, planned: int | None) -> str:
    """`12/40`."""
    return f"{tally.done}" if planned is None else f"{tally.done}/{planned}"


def _wait_cell(tally: Tally) -> str:
    """`0.42/1.10 s`."""
    p50_s, p95_s = tally.wait.quantile_s(0.5), tally.wait.quantile_s(0.95)
    if p50_s is None or p95_s is None:
        return MISSING
    decimals = 2 if p95_s < 9.995 else 1 if p95_s < 99.95 else 0
    return f"{p50_s:.{decimals}f}/{p95_s:.{decimals}f} s"


def _rate_text(per_s: float) -> str:
    """`9.8`, `20`, `120`: one decimal below a hundred, unless it is 0."""
    return f"{per_s:.0f}" if per_s >= 99.95 else f"{per_s:.1f}".removesuffix(".0")


def _dollars(cost_usd: float) -> str:
    return f"${cost_usd:,.2f}" if cost_usd >= 100 else f"${cost_usd:.4f}"


def _kinds(tally: Tally) -> str:
    """`12 throttled, 3 server_error`, the most frequent first."""
    kinds = sorted(tally.errors.items(), key=lambda each: -each[1])
    return ", ".join(f"{count:,} {printable(kind)}" for kind, count in kinds)
