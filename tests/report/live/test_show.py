import asyncio
import contextlib
import io

import pytest

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


def test_every_target_has_a_line_with_its_progress() -> None:
    lines = live_lines(make_progress(), elapsed_s=10.0, duration_s=None)
    assert ["haiku/global/converse", "10/40", "2", "1", "50", "$0.0012"] == lines[1].split()
    assert ["sonnet/us/invoke", "30/40", "5", "0", "90", "unknown"] == lines[2].split()
    assert ["total", "40/80", "7", "1", "140", "$0.0012"] == lines[3].split()


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_still_shows_errors_and_cost(width: int) -> None:
    names = ("claude-sonnet-4-6-20260101/in-region/converse/aioboto3", "claude-haiku-4-5/us/invoke")
    tally = Tally(done=123456, in_flight=256, failed=999999, output_tokens=10**8, cost_usd=1234.5678)
    progress = Progress(planned=999999, tallies=dict.fromkeys(names, tally))
    lines = live_lines(progress, elapsed_s=1000.0, duration_s=None, width=width)
    assert all(len(line) <= width for line in lines)
    for column in ("errors", "cost"):
        assert column in lines[0]
    assert all("999999" in line and "$1234.5678" in line for line in lines[1:3])
    assert "$2469.1356" in lines[3]
    assert "invoke" in lines[2]


def test_a_name_cannot_control_the_terminal() -> None:
    progress = Progress(planned=1, tallies={"a\x1b[2J\nb": Tally()})
    lines = live_lines(progress, elapsed_s=1.0, duration_s=None)
    assert 4 == len(lines)
    assert "\x1b" not in "".join(lines)


class Gone(io.StringIO):
    """A terminal whose other end is closed."""

    def __init__(self, error: Exception, terminal: bool) -> None:
        super().__init__()
        self.error, self.terminal = error, terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, _: str) -> int:
        raise self.error


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "I/O error"), ValueError("closed file")])
async def test_a_missing_stderr_ends_only_the_progress(error: Exception, terminal: bool) -> None:
    await show_progress(make_progress(), duration_s=None, every_s=0.0, out=Gone(error, terminal))


async def test_a_closed_stderr_ends_only_the_progress() -> None:
    out = io.StringIO()
    out.close()
    await show_progress(make_progress(), duration_s=None, every_s=0.0, out=out)


def test_time_left_follows_from_the_share_of_finished_requests() -> None:
    assert "about 10 s left" in live_lines(make_progress(), elapsed_s=10.0, duration_s=None)[-1]


def test_a_duration_bounds_the_time_left() -> None:
    assert "about 5 s left" in live_lines(make_progress(None), elapsed_s=10.0, duration_s=15.0)[-1]


def test_requests_in_flight_after_the_duration_still_take_time() -> None:
    assert "about 20 s left" in live_lines(make_progress(), elapsed_s=20.0, duration_s=15.0)[-1]
    assert "time left unknown" in live_lines(make_progress(None), elapsed_s=20.0, duration_s=15.0)[-1]


def test_without_a_plan_or_a_duration_the_time_left_is_unknown() -> None:
    assert "time left unknown" in live_lines(make_progress(None), elapsed_s=10.0, duration_s=None)[-1]


def test_all_lines_align() -> None:
    lines = live_lines(make_progress(), elapsed_s=10.0, duration_s=None)
    assert 1 == len({len(line) for line in lines[:-1]})


async def test_off_a_terminal_progress_is_plain_lines() -> None:
    out = io.StringIO()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await show_progress(make_progress(), duration_s=None, every_s=0.0, out=out)
    assert "40/80 done, 7 in flight, 1 error, $0.0012" in out.getvalue()
    assert "\x1b" not in out.getvalue()
