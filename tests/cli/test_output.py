"""Output that is safe for a terminal."""

from __future__ import annotations

import json

from harness.cli.output import escape_json


def test_json_for_a_terminal_is_the_same_json_without_control_characters() -> None:
    answer = "\x1b[2J\x9b1m\x85\u2028\u2029\u202e\u2066über 日本"
    text = json.dumps({"answer": answer}, ensure_ascii=False, indent=2)
    shown = escape_json(text)
    assert {"answer": answer} == json.loads(shown)
    assert [] == [c for c in shown if not c.isprintable() and c != "\n"]
    assert "über 日本" in shown
