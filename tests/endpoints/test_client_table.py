import subprocess
import sys
from typing import get_args

import pytest

from harness.catalog.target import Api, Options, Target, Tool
from harness.endpoints import APIS, CLIENTS, client_names, make_client, supports, unsupported
from harness.endpoints.base import Connection
from harness.errors import EndpointError

CONNECTION = Connection(region="us-east-1")


def test_every_client_says_which_apis_it_speaks():
    assert APIS.keys() == CLIENTS.keys()
    assert all(supports("wire", api) for api in get_args(Api))
    assert supports("aioboto3", "converse")
    assert supports("anthropic", "invoke")
    assert supports("anthropic", "mantle")
    assert not supports("aioboto3", "mantle")
    assert not supports("anthropic", "converse")
    assert not supports("nobody", "invoke")


def test_an_unknown_client_is_refused_with_the_known_ones_named():
    with pytest.raises(EndpointError, match=r"'aiobotto3'; known: wire, aioboto3, anthropic"):
        make_client("aiobotto3", CONNECTION)


@pytest.fixture
def outside_package(tmp_path, monkeypatch):
    (tmp_path / "outside_client.py").write_text("class Outside:\n    def __init__(self, connection): ...\n")
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[harness.clients]\noutside = outside_client:Outside\nbroken = outside_client:Missing\n"
        "aioboto3 = outside_client:Outside\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("outside_package")
def test_another_package_can_add_a_client_but_not_replace_one_of_ours():
    assert client_names() == ["wire", "aioboto3", "anthropic", "broken", "outside"]
    assert supports("outside", "converse")
    assert type(make_client("outside", CONNECTION)).__name__ == "Outside"
    assert type(make_client("aioboto3", CONNECTION)).__name__ == "Aioboto3Client"


@pytest.mark.usefixtures("outside_package")
def test_a_client_that_cannot_be_loaded_is_named_with_its_reason():
    with pytest.raises(EndpointError, match=r"'broken' \(outside_client:Missing\) cannot be loaded: .*Missing"):
        make_client("broken", CONNECTION)


def test_reading_replies_and_building_requests_loads_no_sdk():
    code = (
        "import sys, harness.endpoints, harness.endpoints.read_tape, harness.endpoints.request\n"
        "print(*sorted({'aioboto3', 'aiohttp', 'anthropic', 'botocore', 'httpx2'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


TOOL = Tool(name="look_up", input_schema={"type": "object"})


def _target(client, api, **options):
    return Target(
        name="t",
        model="m",
        base_model="b",
        model_id="b-v1:0",
        routing="us",
        api=api,
        client=client,
        region="us-east-1",
        options=Options(**options),
    )


@pytest.mark.parametrize(("client", "api"), [(client, api) for client, apis in APIS.items() for api in apis])
def test_what_a_client_speaks_is_not_refused(client, api):
    more = {} if api == "openai" else {"cache": "1h", "thinking": "adaptive"}
    target = _target(client, api, tools=[TOOL], tool_choice="look_up", **more)
    assert unsupported(target, target.options) is None


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (
            _target("aioboto3", "mantle"),
            "client 'aioboto3' does not support api 'mantle'; use client wire or anthropic",
        ),
        (
            _target("anthropic", "converse"),
            "client 'anthropic' does not support api 'converse'; use client wire or aioboto3",
        ),
        (
            _target("anthropic", "mantle", service_tier="flex"),
            "api 'mantle' has no 'service_tier'; use api invoke or converse, or leave it out",
        ),
        (
            _target("wire", "openai", cache="5m"),
            "api 'openai' has no 'cache'; use api invoke or converse or messages or mantle, or leave it out",
        ),
        (
            _target("anthropic", "mantle", latency="optimized"),
            "api 'mantle' has no 'latency'; use api invoke or converse, or leave it out",
        ),
        (
            _target("aioboto3", "converse", tools=[TOOL], tool_choice="none"),
            "api 'converse' has no tool_choice 'none'; use api invoke or messages, or leave the tools out",
        ),
        (
            _target("aioboto3", "invoke", tool_choice="any"),
            "tool_choice 'any' needs tools; add `tools`, or leave it out",
        ),
        (
            _target("aioboto3", "invoke", tools=[TOOL], tool_choice="lookup"),
            "tool_choice 'lookup' is not a tool of the target; use auto, any, none or one of: look_up",
        ),
    ],
)
def test_what_cannot_be_put_on_the_wire_is_refused_by_name_with_what_to_use_instead(target, said):
    assert unsupported(target, target.options) == said
