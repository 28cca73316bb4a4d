import pytest

from harness.endpoints.reply import Citation, Reply, ToolCall


def test_an_incomplete_answer_without_text_is_none_and_a_complete_one_is_empty():
    assert Reply().join_texts() is None
    assert Reply(complete=True).join_texts() == ""


@pytest.mark.parametrize(
    ("texts", "expected"),
    [([], '{"tool":"f","input":{}}'), (["a"], 'a\n{"tool":"f","input":{}}'), (["a\n"], 'a\n{"tool":"f","input":{}}')],
)
def test_a_tool_call_is_on_its_own_line_after_the_text(texts, expected):
    assert Reply(texts=texts, tools={0: ToolCall(name="f")}).join_texts() == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": [1, 2.50, null],\n "b": "\u2028"}', '{"a":[1,2.5,null],"b":"\u2028"}'),
        ('{"a": "cut of', '"{\\"a\\": \\"cut of"'),
        ("[" * 100_000, '"' + "[" * 100_000 + '"'),
    ],
    ids=["whole", "cut off", "nested too deeply"],
)
def test_a_tools_input_is_one_line_of_json_or_a_string_if_it_is_invalid(text, line):
    assert ToolCall(name="f", pieces=[text]).to_line() == '{"tool":"f","input":' + line + "}"


def test_a_tools_name_cannot_break_out_of_its_line():
    line = ToolCall(name='x"}\n{"tool":"y').to_line()
    assert "\n" not in line
    assert line.startswith('{"tool":"x\\"')


def test_citations_are_a_json_list_or_none():
    assert Reply().join_citations() is None
    cited = Reply(cited=[Citation(document="report", start_page=2, end_page=3, text="x"), Citation()])
    assert cited.join_citations() == (
        '[{"document":"report","start_page":2,"end_page":3,"text":"x"},'
        '{"document":null,"start_page":null,"end_page":null,"text":""}]'
    )
