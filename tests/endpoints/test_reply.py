import pytest

from harness.endpoints.reply import Citation, Reply, ToolCall


def test_nothing_said_is_no_text_and_a_complete_answer_of_nothing_is_an_empty_one():
    assert Reply().join_texts() is None
    assert Reply(complete=True).join_texts() == ""


@pytest.mark.parametrize(
    ("texts", "expected"),
    [([], '{"tool":"f","input":{}}'), (["a"], 'a\n{"tool":"f","input":{}}'), (["a\n"], 'a\n{"tool":"f","input":{}}')],
)
def test_a_tool_call_stands_on_a_line_of_its_own_after_the_text(texts, expected):
    assert Reply(texts=texts, tools={0: ToolCall(name="f")}).join_texts() == expected


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ('{"a": [1, 2.50, null],\n "b": "\u2028"}', '{"a":[1,2.5,null],"b":"\u2028"}'),
        ('{"a": "cut of', '"{\\"a\\": \\"cut of"'),
        ("[" * 100_000, '"' + "[" * 100_000 + '"'),
    ],
    ids=["whole", "cut off", "deeper than any stack"],
)
def test_the_input_of_a_tool_is_one_line_of_json_and_a_string_where_it_is_none(said, written):
    assert ToolCall(name="f", pieces=[said]).to_line() == '{"tool":"f","input":' + written + "}"


def test_a_tools_name_cannot_break_out_of_its_line():
    line = ToolCall(name='x"}\n{"tool":"y').to_line()
    assert "\n" not in line
    assert line.startswith('{"tool":"x\\"')


def test_citations_are_a_json_list_and_none_are_nothing():
    assert Reply().join_citations() is None
    cited = Reply(cited=[Citation(document="report", start_page=2, end_page=3, text="x"), Citation()])
    assert cited.join_citations() == (
        '[{"document":"report","start_page":2,"end_page":3,"text":"x"},'
        '{"document":null,"start_page":null,"end_page":null,"text":""}]'
    )
