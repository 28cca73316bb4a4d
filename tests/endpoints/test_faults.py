"""Every fault, through every client and api, streamed or not: one error kind, nothing lost that arrived, no leak."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
import pytest_asyncio
import trustme

from harness.catalog.target import Api, Options, Target
from harness.endpoints import APIS, make_client
from harness.endpoints.base import Client, Connection
from harness.endpoints.reply import Reply
from harness.endpoints.request import build_request
from harness.load.limits.in_flight import Connections, InFlightLimit
from harness.load.limits.quota import make_admission
from harness.load.sender import Channel, Sender
from harness.load.stop import Stop
from harness.simulator.injection.plan import NAMES, FaultRule, can_happen
from harness.simulator.model.answers import prompt_digest
from harness.simulator.performance import Operation
from harness.simulator.server import SimulatorOptions, running_simulator
from harness.suite.suite import Message, Prompt, Quota, Retries, Timeouts
from tests.endpoints.fault_page import INJECTED, PAGE, UNREACHABLE, Ending, Row, render

BASE_ID = "anthropic.claude-sonnet-4-5-20250929-v1:0"
MODEL_ID = f"us.{BASE_ID}"
TEXT = " ".join(f"word{number}" for number in range(60))
"""The answer to every prompt that meets a fault: long enough for a dozen chunks."""
PATIENT = Timeouts(first_token_s=60, total_s=60)
"""Far longer than any exchange here lasts: a fault that ends by itself does not wait for a deadline."""
TIMEOUTS = {
    **dict.fromkeys(("never_answers", "head_then_silence"), Timeouts(first_token_s=0.2, total_s=0.2)),
    **dict.fromkeys(
        ("half_then_silence", "byte_a_second", "bad_checksum_then_silence"), Timeouts(first_token_s=60, total_s=1)
    ),
}


class Case(NamedTuple):
    """A client and an api, streamed or not."""

    client: str
    api: Api
    stream: bool

    def __str__(self) -> str:
        return f"{self.client}/{self.api}/{'streamed' if self.stream else 'whole'}"

    @property
    def target(self) -> Target:
        return Target(
            name=str(self), model="claude-sonnet-4-5", base_model=BASE_ID, model_id=MODEL_ID, routing="us",
            api=self.api, client=self.client, region="us-east-1", stream=self.stream, options=Options(max_tokens=500),
        )  # fmt: skip

    def can_meet(self, fault: str) -> bool:
        api = "messages" if self.api == "mantle" else self.api
        return can_happen(fault, Operation(model_id=MODEL_ID, api=api, stream=self.stream))


CASES = [Case(client, api, stream) for client, apis in APIS.items() for api in apis for stream in (True, False)]  # type: ignore[arg-type]


async def send(client: Client, case: Case, text: str, timeouts: Timeouts = PATIENT) -> Reply:
    """The reply to a prompt, sent and read as a run does."""
    stop, replies = Stop(), list[Reply]()
    channel = Channel(
        target=case.target, client=client, connections=Connections(1),
        admission=make_admission(Quota(), case.target, stop), in_flight_limit=InFlightLimit(1),
        stop=stop,
    )  # fmt: skip
    sender = Sender(retries=Retries(max_attempts=1), timeouts=timeouts, rng=Random(1), stop=stop)
    prompt = Prompt(id="p", messages=(Message(role="user", content=text),))
    await sender.send(channel, build_request(case.target, prompt), 0, lambda *attempt: replies.append(attempt[3]))
    [reply] = replies
    return reply


def ill_fated(fault: str, case: Case) -> str:
    return f"{fault} meets {case}"


def well_fated(case: Case) -> str:
    return f"Is {case} well?"


def options(folder: Path) -> SimulatorOptions:
    """A fast simulator with all faults and with right answers."""
    answers = {ill_fated(fault, case): TEXT for fault in NAMES for case in CASES}
    answers |= {well_fated(case): f"{case} is well" for case in CASES}
    (folder / "answers.json").write_text(
        json.dumps({prompt_digest(prompt): {"answer": answer} for prompt, answer in answers.items()})
    )
    (folder / "profiles.json").write_text(json.dumps({"claude-sonnet-4-5": {"skill": 1.0}}))
    return SimulatorOptions(
        speed=500.0,
        answer_key=folder / "answers.json",
        profiles=folder / "profiles.json",
        faults=tuple(FaultRule(fault=fault, prompt=f"{fault} meets ") for fault in NAMES),
    )


@asynccontextmanager
async def opened(url: str, cases: Sequence[Case]) -> AsyncIterator[dict[Case, Client]]:
    """A client for each case, with room for a single connection: one that leaks would stop the next request."""
    async with AsyncExitStack() as stack:
        connection = Connection(url=url, region="us-east-1", made_up_credentials=True, pool_size=1)
        yield {case: await stack.enter_async_context(make_client(case.client, connection)) for case in cases}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[Case, Client]]:
    folder = tmp_path_factory.mktemp("simulator")
    async with running_simulator(options(folder)) as url, opened(url, CASES) as clients:
        yield clients


def kept(reply: Reply) -> str:
    """What the record keeps, in the words of the table."""
    text = reply.text
    if text is None:
        return "nothing"
    whole = text.removesuffix("\n").removesuffix(".")
    if whole == TEXT:
        return "all" if reply.output_tokens is not None or not reply.ok else "all, no tokens"
    if not text or not TEXT.startswith(text):
        return "no text" if not text else "twice" if len(text) >= 2 * len(TEXT) else f"something else: {text}"
    share = len(text) / len(TEXT)
    if share > 0.8:
        return "most"
    return "half" if 0.4 < share < 0.65 else f"{share:.0%}"  # chunks differ in length, by the seed


async def meet(client: Client, case: Case, fault: str) -> tuple[Ending, str | None]:
    """How a request ends that meets a fault, and the answer to the next one on the same client."""
    async with asyncio.timeout(PATIENT.total_s / 2):
        reply = await send(client, case, ill_fated(fault, case), TIMEOUTS.get(fault, PATIENT))
    following = await send(client, case, well_fated(case))
    return Ending(reply.error_kind, kept(reply)), following.text or following.error_message  # type: ignore[arg-type]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("fault", "row"), INJECTED.items(), ids=list(INJECTED))
async def test_a_fault_ends_alike_for_every_client_and_spoils_nothing_that_follows(
    clients: dict[Case, Client], caplog: pytest.LogCaptureFixture, fault: str, row: Row
) -> None:
    met = [case for case in CASES if case.can_meet(fault)]
    ends = await asyncio.gather(*(meet(clients[case], case, fault) for case in met))
    expected = {case: row.streamed if case.stream else row.whole for case in met}
    assert expected == {case: end for case, (end, _) in zip(met, ends, strict=True)}
    answers = [(answer or "").strip().removesuffix(".") for _, answer in ends]
    assert [f"{case} is well" for case in met] == answers
    assert [] == [record for record in caplog.records if record.levelname == "ERROR"]  # an exception in a callback


@pytest.mark.parametrize(("fault", "row"), UNREACHABLE.items(), ids=list(UNREACHABLE))
async def test_a_server_that_is_not_reached_ends_alike_for_every_client(tmp_path: Path, fault: str, row: Row) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(unreachable(fault))
        connection = Connection(url=url, region="us-east-1", made_up_credentials=True, connect_timeout_s=60)
        clients = {
            case: await stack.enter_async_context(make_client(case.client, connection)) for case in CASES if case.stream
        }
        replies = await asyncio.gather(*(send(client, case, "Hello?") for case, client in clients.items()))
    assert dict.fromkeys(clients, row.streamed) == {
        case: Ending(reply.error_kind, kept(reply)) for case, reply in zip(clients, replies, strict=True)
    }


@asynccontextmanager
async def unreachable(fault: str) -> AsyncIterator[str]:
    """A URL that leads nowhere."""
    if fault == "unknown_name":
        yield "http://nowhere.invalid"
    elif fault == "refused":
        with socket.socket() as closed:  # bound, so that nobody else listens here
            closed.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{closed.getsockname()[1]}"
    else:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("localhost").configure_cert(context)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        async with server:
            yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


LEAVE_MOST_BEHIND = ("never_answers", "reset_during", "bad_chunk_size", "not_http", "many_headers", "second_answer")


async def test_faults_leave_no_task_and_no_descriptor_behind(tmp_path: Path) -> None:
    one_of_each = [Case(client, apis[0], True) for client, apis in APIS.items()]  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    await loop.getaddrinfo("localhost", 80)  # starts the loop's threads
    async with running_simulator(options(tmp_path)) as url:
        tasks, descriptors = asyncio.all_tasks(), open_descriptors()
        async with opened(url, one_of_each) as clients:
            for fault in LEAVE_MOST_BEHIND:
                await asyncio.gather(*(meet(client, case, fault) for case, client in clients.items()))
        for _ in range(50):  # a transport closes its socket in the loop's next turns, then the server its own
            await asyncio.sleep(0)
        assert tasks == asyncio.all_tasks()
        assert set() == open_descriptors() - descriptors


def open_descriptors() -> set[str]:
    """What this process has open, apart from files that it imports from."""
    gc.collect()
    links = (Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if link.is_symlink()}


def test_every_fault_of_the_simulator_has_its_row() -> None:
    assert set(NAMES) == set(INJECTED)
    streams_only = {fault for fault in NAMES if not any(case.can_meet(fault) and not case.stream for case in CASES)}
    assert streams_only == {fault for fault, row in INJECTED.items() if row.whole is None}


def test_the_page_of_faults_is_current() -> None:
    assert render() == PAGE.read_text(encoding="utf-8"), "run `python -m tests.endpoints.fault_page`"
