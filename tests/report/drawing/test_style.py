"""Colours, lines and names of targets."""

from harness.report.drawing.style import LABEL_WIDTH, LINE_WIDTH, Look

EIGHT = [f"model-{m}/{r}/{a}" for m in "ab" for r in ("global", "us") for a in ("invoke", "converse")]


def appearance(look: Look) -> tuple[object, ...]:
    return look.colour, look.line, look.marker


def test_targets_of_one_model_share_a_hue_and_of_one_routing_a_marker(make_run) -> None:
    looks = make_run().looks
    haiku_global, haiku_us, sonnet_global, sonnet_us = looks.values()
    assert haiku_global.colour == haiku_us.colour != sonnet_global.colour == sonnet_us.colour
    assert haiku_global.marker == sonnet_global.marker != haiku_us.marker == sonnet_us.marker
    assert haiku_global.line == sonnet_global.line != haiku_us.line == sonnet_us.line


def test_eight_targets_that_differ_only_by_api_look_different(make_run) -> None:
    looks = make_run(names=EIGHT, requests=5).looks
    assert len({appearance(look) for look in looks.values()}) == 8
    assert len({(look.line, look.marker) for name, look in looks.items() if name.startswith("model-a")}) == 4


def test_long_names_are_shortened_and_stay_distinct(make_run) -> None:
    names = [
        f"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/{'x' * 60}{i}{'y' * 60}" for i in "12"
    ]
    looks = make_run(names=names, requests=5).looks
    labels = [look.label for look in looks.values()]
    assert len(set(labels)) == 2
    assert all(len(label) <= LABEL_WIDTH + 3 for label in labels)
    assert all(len(line) <= LINE_WIDTH for look in looks.values() for line in look.two_lines.split("\n"))


def test_characters_without_a_glyph_become_boxes(make_run) -> None:
    looks = make_run(names=["日本 🎉\x1b[31m"], requests=5).looks
    assert looks["日本 🎉\x1b[31m"].label == "□□ □�[31m"
