import asyncio
import contextlib
import io

from harness.load.progress import Progress, Tally
from harness.report.live import live_lines, show_progress


def make_progress(planned: int | None = 40) -> Progress:
    return Progress(
        planned=planned,
        tallies={
            "haiku/global/converse": Tally(done=10, in_flight=2, failed=1, output_tokens=500, cost_usd=0.0012),
            "sonnet/us/invoke": Tally(done=30, in_flight=5, output_tokens=900, unpriced=30),
        },
    )


def test_every_target_has_a_line_with_what_it_has_done_so_far() -> None:
    lines = live_lines(make_progress(), elapsed_s=10.0, duration_s=None)
    assert ["haiku/global/converse", "10/40", "2", "1", "50", "$0.0012"] == lines[1].split()
    assert ["sonnet/us/invoke", "30/40", "5", "0", "90", "unknown"] == lines[2].split()


def test_time_left_follows_from_the_share_that_is_done() -> None:
    assert "about 10 s left" in live_lines(make_progress(), elapsed_s=10.0, duration_s=None)[-1]


def test_a_duration_bounds_the_time_left() -> None:
    assert "about 5 s left" in live_lines(make_progress(None), elapsed_s=10.0, duration_s=15.0)[-1]


def test_without_a_plan_or_a_duration_the_time_left_is_unknown() -> None:
    assert "time left unknown" in live_lines(make_progress(None), elapsed_s=10.0, duration_s=None)[-1]


def test_all_lines_align() -> None:
    lines = live_lines(make_progress(), elapsed_s=10.0, duration_s=None)
    assert 1 == len({len(line) for line in lines[:-1]})


async def test_off_a_terminal_the_display_is_plain_lines() -> None:
    out = io.StringIO()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await show_progress(make_progress(), duration_s=None, every_s=0.0, out=out)
    assert "40/80 done, 7 in flight, 1 errors, $0.0012" in out.getvalue()
    assert "\x1b" not in out.getvalue()
