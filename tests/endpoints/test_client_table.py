import subprocess
import sys

import pytest

from harness.endpoints import APIS, CLIENTS, client_names, make_client, supports
from harness.endpoints.base import Connection
from harness.errors import EndpointError

CONNECTION = Connection(region="us-east-1")


def test_every_client_says_which_apis_it_speaks():
    assert APIS.keys() == CLIENTS.keys()
    assert supports("aioboto3", "converse")
    assert supports("anthropic", "invoke")
    assert not supports("anthropic", "converse")
    assert not supports("nobody", "invoke")


def test_an_unknown_client_is_refused_with_the_known_ones_named():
    with pytest.raises(EndpointError, match=r"'aiobotto3'; known: aioboto3, anthropic"):
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
    assert client_names() == ["aioboto3", "anthropic", "broken", "outside"]
    assert supports("outside", "converse")
    assert type(make_client("outside", CONNECTION)).__name__ == "Outside"
    assert type(make_client("aioboto3", CONNECTION)).__name__ == "Aioboto3Client"


@pytest.mark.usefixtures("outside_package")
def test_a_client_that_cannot_be_loaded_is_named_with_its_reason():
    with pytest.raises(EndpointError, match=r"'broken' \(outside_client:Missing\) cannot be loaded: .*Missing"):
        make_client("broken", CONNECTION)


def test_reading_replies_and_building_requests_loads_no_sdk():
    code = (
        "import sys, harness.endpoints, harness.endpoints.reply, harness.endpoints.request\n"
        "print(*sorted({'aioboto3', 'aiohttp', 'anthropic', 'botocore', 'httpx2'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
