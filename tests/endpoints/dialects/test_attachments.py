from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.endpoints.dialects.attachments import name_documents, read_base64, read_bytes, read_text
from harness.errors import EndpointError
from harness.suite.suite import Attachment


def _attachment(path, data, name="report.pdf"):
    return Attachment(
        name=name, media_type="application/pdf", digest=sha256(data).hexdigest(), size=len(data), path=path
    )


def test_a_file_is_read_once_whatever_it_is_called(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"once")
    assert read_bytes(_attachment(path, b"once")) == b"once"
    encoded = read_base64(_attachment(path, b"once"))
    path.unlink()
    assert read_base64(_attachment(path, b"once", name="again.pdf")) is encoded


def test_a_file_that_is_gone_changed_or_frozen_away_is_named(tmp_path):
    path = tmp_path / "b"
    with pytest.raises(EndpointError, match=r"b: cannot be read \(No such file"):
        read_bytes(_attachment(path, b"before"))
    path.write_bytes(b"after")
    with pytest.raises(EndpointError, match="has changed since the suite was loaded"):
        read_bytes(_attachment(path, b"before"))
    with pytest.raises(EndpointError, match=r"the content of 'report.pdf' is not available"):
        read_base64(_attachment(None, b"before"))


def test_text_that_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "c"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(EndpointError, match=r"'report.pdf' is not UTF-8"):
        read_text(_attachment(path, b"caf\xe9"))


def _named(*names):
    return name_documents(_attachment(None, b"", name=name) for name in names)


def test_names_are_made_fit_for_converse_and_reported_apart():
    assert _named("in/Q3_report v2.final.pdf", "in/q.pdf", "b/q.pdf", "ñ.pdf", "é.txt", "[a](1)-b.csv") == [
        "Q3 report v2 final",
        "q",
        "q (2)",
        "document",
        "document (2)",
        "[a](1)-b",
    ]


@given(names=st.lists(st.text(min_size=1).filter(lambda name: "\0" not in name), max_size=6))
def test_any_names_become_names_that_converse_takes(names):
    given_names = _named(*names)
    assert len(set(given_names)) == len(names)
    for name in given_names:
        assert 1 <= len(name) <= 200
        assert name.isascii()
        assert all(character.isalnum() or character in " -()[]" for character in name)
        assert "  " not in name
