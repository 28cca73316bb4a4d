"""What a terminal is shown."""

from __future__ import annotations

import json

from harness.cli.output import defused_json


def test_json_for_a_terminal_is_the_same_json_without_control_characters() -> None:
    text = json.dumps({"answer": "\x1b[2J\x9b1m\u202eüber 日本"}, ensure_ascii=False, indent=2)
    shown = defused_json(text)
    assert json.loads(text) == json.loads(shown)
    assert [] == [c for c in shown if not c.isprintable() and c != "\n"]
    assert "über 日本" in shown
