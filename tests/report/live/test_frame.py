"""The frame and the line of a running load: what they say, in the space that they have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from harness.load.progress import Progress, Tally
from harness.report.live.frame import LiveView
from harness.suite.suite import Load, Suite

MS = 1_000_000
MODELS = ("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-5", "claude-opus-4-6")
ROUTINGS = ("global", "us", "eu", "jp", "in-region")
PAIR = ("haiku/global/converse", "sonnet/us/invoke")

MakeSuite = Callable[..., Suite]


def names(count: int) -> list[str]:
    every = [f"{model}/{routing}/{api}" for api in ("converse", "invoke") for model in MODELS for routing in ROUTINGS]
    return every[:count]


def make_tally(done: int = 10, **changes: object) -> Tally:
    tally = Tally(done=done, answered=done, in_flight=8, output_tokens=500, cost_usd=0.0012)
    for at in range(min(done, 40)):
        tally.wait.add((400 + 10 * at) * MS)
    for name, value in changes.items():
        setattr(tally, name, value)
    return tally


def make_view(suite: Suite, *tallies: Tally, planned: int | None = 40, scheduled: bool = True) -> LiveView:
    own = tallies or [make_tally() for _ in suite.targets]
    names = [target.name for target in suite.targets]
    return LiveView(Progress(planned=planned, tallies=dict(zip(names, own, strict=True))), suite, scheduled=scheduled)


def text(view: LiveView, at_s: float = 10.0, width: int = 100, height: int = 24) -> list[str]:
    return [line.plain for line in view.lines(at_s, width, height)]


@pytest.fixture
def pair(make_suite: MakeSuite) -> LiveView:
    failing = {"errors": {"throttled": 1}}
    return make_view(make_suite(*PAIR), make_tally(10, in_flight=2, **failing), make_tally(30, unpriced=30, cost_usd=0))


def test_every_target_has_a_line_with_its_progress(pair: LiveView) -> None:
    head, *rows, _, _ = text(pair, width=120)
    assert "target done in flight req/s TTFT p50/p95 errors cost tokens/s" == " ".join(head.split())
    assert "haiku/global/converse 10/40 2 0 0.44/0.49 s 1 $0.0012 50" == " ".join(rows[0].split())
    assert "sonnet/us/invoke 30/40 8 0 0.53/0.68 s 0 unknown 50" == " ".join(rows[1].split())
    assert "total 40/80 10 0 0.49/0.66 s 1 $0.0012 100" == " ".join(rows[2].split())


def test_a_single_target_needs_no_total(make_suite: MakeSuite) -> None:
    assert 3 == len(text(make_view(make_suite("a"))))


@pytest.mark.parametrize("count", [1, 4, 8, 40])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (80, 10), (40, 12), (200, 60)])
def test_a_frame_fits_the_terminal_however_much_goes_wrong(
    make_suite: MakeSuite, count: int, width: int, height: int
) -> None:
    message = "Too many tokens, please wait before trying again. " * 9
    suite = make_suite(*names(count), load=Load(arrival="poisson", rate_per_s=20, requests=123_456), budget_usd=1.0)
    failing = {"errors": {"throttled": 50_000, "first_token_timeout": 10_000}, "answered": 0,
               "messages": {"throttled": message}, "cost_usd": 1234.5678}  # fmt: skip
    view = make_view(suite, *(make_tally(99_999, **failing) for _ in range(count)), planned=123_456)
    view.observe(10.0)
    lines = text(view, width=width, height=height)
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert all(f"{heading}" in lines[0] for heading in ("done", "errors"))
    assert any(line.startswith("! ") for line in lines)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_all_columns_and_all_targets_fit_80_by_24(make_suite: MakeSuite, count: int) -> None:
    suite = make_suite(*names(count), load=Load(arrival="poisson", rate_per_s=20.0, requests=400), budget_usd=5.0)
    head, *rows = text(make_view(suite, planned=400), width=80, height=23)
    assert "target done in flight req/s TTFT p50/p95 errors cost" == " ".join(head.split())
    assert all(len(row.split()) == 8 and "0/20" in row for row in rows[:count])


def test_too_many_targets_show_the_worst_and_count_the_rest(make_suite: MakeSuite) -> None:
    tallies = [make_tally() for _ in range(40)]
    tallies[38].errors = {"connection": 3}
    rows = text(make_view(make_suite(*names(40)), *tallies), width=80, height=12)
    assert any("opus-4-6/jp/invoke" in row for row in rows)
    [rest] = [row.split() for row in rows if row.startswith("and ")]
    shown = sum("/converse" in row or "/invoke" in row for row in rows) - 1
    assert ["and", f"{40 - shown}", "more", f"{10 * (40 - shown)}/{40 * (40 - shown)}"] == rest[:4]


def test_names_lose_what_they_all_have_in_common_before_they_are_cut(make_suite: MakeSuite) -> None:
    suite = make_suite(*(f"claude-sonnet-4-6/{routing}/converse" for routing in ROUTINGS))
    assert list(ROUTINGS) == [row.split()[0] for row in text(make_view(suite), width=75)[1:6]]
    assert ["claude-sonnet-4-6/us/converse"] == [row.split()[0] for row in text(make_view(suite), width=99)[2:3]]
    single = text(make_view(make_suite("claude-sonnet-4-6/in-region/converse/aioboto3")), width=80)[1]
    assert single.startswith("claude-so")
    assert single.split()[0].endswith("aioboto3")


def test_wide_names_are_cut_by_columns_and_align(make_suite: MakeSuite) -> None:
    suite = make_suite("日本語の長い名前のモデル" * 3 + "/東京", "한국어" * 9 + "/us", "plain/us")
    lines = text(make_view(suite), width=60)
    assert max(map(cell_len, lines)) <= 60
    assert "…" in lines[1]
    ends = {cell_len(line[: line.index("10/40") + 5]) for line in lines[1:4]}
    assert 1 == len(ends)


def test_the_latency_is_named_for_what_it_is(make_suite: MakeSuite) -> None:
    assert "E2E p50/p95" in text(make_view(make_suite("a", stream=False)))[0]
    assert "E2E p50/p95 0.44/0.49 s" in make_view(make_suite("a", stream=False)).line(1.0)


def test_rates_cover_the_last_seconds(make_suite: MakeSuite) -> None:
    load = Load(arrival="ramp", rate_per_s=10.0, to_per_s=30.0, duration_s=100.0)
    view = make_view(make_suite("a", load=load), tally := make_tally(0), planned=None)
    for second in range(1, 51):
        tally.answered += 5 if second <= 40 else 19
        view.observe(second)
    assert "19/20" in text(view, at_s=50.0)[1].split()
    assert "19/20 req/s" in view.line(50.0)


def test_a_sweep_has_no_offered_rate(make_suite: MakeSuite) -> None:
    suite = make_suite("a", load=Load(arrival="poisson", rate_per_s=64.0, requests=900))
    assert ", 0 req/s" in make_view(suite, planned=None, scheduled=False).line(1.0)


def test_errors_are_told_by_kind_and_target_the_worst_first(make_suite: MakeSuite) -> None:
    few = make_tally(errors={"connection": 2})
    many = make_tally(errors={"internal": 2, "throttled": 7})
    lines = text(make_view(make_suite("a", "b"), few, many))
    assert ["7 throttled, 2 internal: b", "2 connection: a"] == lines[-2:]


def test_findings_show_with_their_remedy(make_suite: MakeSuite) -> None:
    view = make_view(make_suite("a", budget_usd=0.0012))
    view.observe(1.0)
    assert text(view, width=80)[-2:] == [
        "! $0.00 of the budget of $0.00 is spent; raise the budget, or send fewer",
        "  requests: a run that its budget ends is incomplete",
    ]


def test_neither_a_name_nor_an_error_can_control_the_terminal(make_suite: MakeSuite) -> None:
    hostile = "\x1b[2J\x9b31m\u202e\x00\r\n\u2028" + "A" * 1_000_000
    failing = {"answered": 0, "errors": {"internal": 30}, "messages": {"internal": hostile[:300]}}
    view = make_view(make_suite("a\x1b[2J\nb"), make_tally(30, **failing))
    view.observe(1.0)
    lines = text(view)
    assert any("internal: �[2J�31m�� AAA" in line for line in lines)
    assert all(character.isprintable() for line in [*lines, view.line(1.0)] for character in line)


@pytest.mark.parametrize(
    ("load", "planned", "at_s", "left"),
    [
        (Load(), 40, 10.0, "about 10 s left"),
        (Load(duration_s=15.0), None, 10.0, "about 5 s left"),
        (Load(duration_s=15.0), 40, 20.0, "about 20 s left"),
        (Load(duration_s=15.0), None, 20.0, "time left unknown"),
        (Load(), None, 10.0, "time left unknown"),
        (Load(arrival="ramp", rate_per_s=1.0, to_per_s=9.0, duration_s=60.0), 40, 10.0, "about 50 s left"),
        (Load(arrival="constant", rate_per_s=2.0, requests=40), 40, 4.0, "about 16 s left"),
    ],
)
def test_the_time_left(make_suite: MakeSuite, load: Load, planned: int | None, at_s: float, left: str) -> None:
    view = make_view(make_suite("a", "b", load=load), make_tally(10), make_tally(30), planned=planned)
    assert left in view.line(at_s)
    assert left in text(view, at_s)[4]


def test_the_line_tells_the_load_as_a_whole(pair: LiveView) -> None:
    told = "   10 s  40/80 done, 10 in flight, 1 error (1 throttled), $0.0012, 0 req/s, TTFT p50/p95 0.49/0.66 s"
    assert f"{told}, about 10 s left" == pair.line(10.0)
