"""Reads the answers that a book shows out of the attempts, scores and judgements of their runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import duckdb
import msgspec

from harness.analysis.answers.book import CheckResult, ReadAnswer, Vote
from harness.analysis.answers.fit import fit
from harness.analysis.answers.requests import Arms
from harness.analysis.answers.sample import Unit, as_columns
from harness.endpoints.reply import Citation
from harness.scoring.judgements import Judgement
from harness.scoring.scorer import Answer
from harness.scoring.scorers.tool_call import read_calls
from harness.store.records import last_attempts

MOST_BYTES = 5_000_000
"""Of the texts, tool calls and citations of all answers together."""
MOST_CHARACTERS = 20_000
"""Of an answer's text."""
MOST_LISTED = 50
"""Tool calls, citations, and results of checks of one answer."""
MOST_LINE_CHARACTERS = 1_000
"""Of a tool call, a cited passage, a reason and an error message."""
MOST_CITATIONS_CHARACTERS = 50_000
"""Of an answer's citations as they are stored; longer ones are left out."""
BATCH = 100

_CHOSEN = """
create temp table chosen as
select runs.run_id, request_id, prompt, arm, repeat, passed from requests join arms as runs using (arm)
where $everything or (prompt, repeat) in (select (unnest($prompts), unnest($repeats)))
order by prompt, arm, repeat, request_id limit $most
"""

# Long texts are cut before anything is joined or sorted, so that memory does not hold them.
_CUT = f"""
create temp view cut as
select * replace (left(text, {MOST_CHARACTERS}) as text, left(error_message, {MOST_LINE_CHARACTERS}) as error_message,
    left(stop_reason, {MOST_LINE_CHARACTERS}) as stop_reason,
    if(length(citations) <= {MOST_CITATIONS_CHARACTERS}, citations, null) as citations),
    length(text) as characters,
    if(length(text) > {MOST_CHARACTERS} and stop_reason = 'tool_use', right(text, {MOST_CHARACTERS}), null) as tail
from measured
"""

_ANSWERS = f"""
select prompt, arm, request_id, chosen.repeat, passed, text, characters, tail, citations, error_kind, error_message,
    stop_reason, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, total_cost_usd, attempts,
    first_due_ns, sent_ns, if(stream, first_ns, null), done_ns
from ({last_attempts("(from cut semi join chosen using (run_id, request_id))")})
join chosen using (run_id, request_id)
order by prompt, arm, chosen.repeat, request_id limit $most
"""

_CHECKS = """
select run_id, request_id, scorer, passed, value, coalesce(left(reason, $line), '') as reason
from scores semi join chosen using (run_id, request_id)
where scorer is not null order by scorer, reason
"""

Key = tuple[str, str]
"""A run's id and a request's."""


class _Texts(msgspec.Struct):
    """The long texts of one answer, before they are cut to fit."""

    text: str
    characters: int
    tools: list[str]
    citations: list[str]


def choose_rows(con: duckdb.DuckDBPyConnection, units: Iterable[Unit] | None, most: int) -> None:
    """Create the table `chosen`: the requests of these questions, or all. At most `most`."""
    con.execute(_CHOSEN, {"everything": units is None, "most": most, **as_columns(units or ())})


def read_answers(
    con: duckdb.DuckDBPyConnection, arms: Arms, judgements: Mapping[str, Sequence[Judgement]], most: int
) -> list[ReadAnswer]:
    """The answers in the table `chosen`, by prompt, arm and repeat. `judgements`: of each run, by its id."""
    checks, votes = _read_checks(con), _find_votes(con, judgements)
    answers, texts = [], []
    for row in _rows(con, most):
        key = (arms.run_ids[row[1]], row[2])
        answer, text = _to_answer(row, tuple(checks.get(key, ())), tuple(votes.get(key, ())))
        answers.append(answer)
        texts.append(text)
    return _fitted(answers, texts)


def _rows(con: duckdb.DuckDBPyConnection, most: int) -> Iterator[Sequence[Any]]:
    con.execute(_CUT)
    found = con.execute(_ANSWERS, {"most": most})
    while rows := found.fetchmany(BATCH):
        yield from rows


def _read_checks(con: duckdb.DuckDBPyConnection) -> dict[Key, list[CheckResult]]:
    checks: dict[Key, list[CheckResult]] = defaultdict(list)
    for run_id, request_id, scorer, passed, value, reason in con.execute(
        _CHECKS, {"line": MOST_LINE_CHARACTERS}
    ).fetchall():
        if len(checks[run_id, request_id]) < MOST_LISTED:
            result = CheckResult(scorer=scorer, passed=passed, value=_finite(value), reason=reason)
            checks[run_id, request_id].append(result)
    return checks


def _find_votes(con: duckdb.DuckDBPyConnection, judgements: Mapping[str, Sequence[Judgement]]) -> dict[Key, list[Vote]]:
    """The scores that judges gave; what they preferred in a pair has none."""
    votes: dict[Key, list[Vote]] = defaultdict(list)
    if not any(judgements.values()):
        return votes
    chosen = set(con.execute("select run_id, request_id from chosen").fetchall())
    for run_id, judged in judgements.items():
        for each in judged:
            vote = _to_vote(each) if (run_id, each.request_id) in chosen else None
            if vote is not None and len(votes[run_id, each.request_id]) < MOST_LISTED:
                votes[run_id, each.request_id].append(vote)
    return votes


def _to_vote(judgement: Judgement) -> Vote | None:
    score = judgement.given.get("score")
    if judgement.error or not isinstance(score, int | float) or not 0 <= score <= 1:
        score = None
    if judgement.kind != "judge" or (score is None and not judgement.error):
        return None
    reason = judgement.error or str(judgement.given.get("reason", ""))
    return Vote(
        judge=judgement.by,
        score=score,
        reason=reason[:MOST_LINE_CHARACTERS].encode(errors="replace").decode(),
    )


def _to_answer(
    row: Sequence[Any], checks: tuple[CheckResult, ...], votes: tuple[Vote, ...]
) -> tuple[ReadAnswer, _Texts]:
    (prompt, arm, request_id, repeat, passed, text, characters, tail, citations, *plain) = row
    (error_kind, error_message, stop_reason, input_tokens, output_tokens, cache_read, cache_write, *plain) = plain
    cost_usd, attempts, due, sent, first, done = plain
    answer = ReadAnswer(
        prompt=prompt,
        arm=arm,
        request_id=request_id,
        repeat=repeat,
        passed=passed,
        checks=checks,
        votes=votes,
        error_kind=error_kind,
        error_message=error_message,
        stop_reason=stop_reason,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        cost_usd=_finite(cost_usd),
        attempts=attempts,
        queue_s=_seconds(due, sent),
        ttft_s=_seconds(sent, first),
        stream_s=_seconds(sent if first is None else first, done),
    )
    shown, tools = _split_calls(text or "", tail, stop_reason)
    return answer, _Texts(text=shown, characters=characters or 0, tools=tools, citations=_describe(citations))


def _split_calls(text: str, tail: str | None, stop_reason: str | None) -> tuple[str, list[str]]:
    """The text without the tool calls at its end, and those, a line of JSON each. `tail`: the end of a cut text."""
    end = text if tail is None else tail
    count = len(read_calls(Answer(text=end, stop_reason=stop_reason))) if stop_reason == "tool_use" else 0
    if not count:
        return text, []
    lines = end.removesuffix("\n").split("\n")  # not splitlines(): JSON has U+2028 as it is
    calls = [_shorten(line) for line in lines[-count:]]
    return ("\n".join(lines[:-count]) if tail is None else text), calls[:MOST_LISTED]


def _describe(citations: str | None) -> list[str]:
    """Each as `document p. 3: text`; none if the column does not hold citations."""
    try:
        found = msgspec.json.decode(citations or "[]", type=list[Citation])
    except (msgspec.DecodeError, RecursionError):
        return []
    return [_describe_citation(each) for each in found[:MOST_LISTED]]


def _describe_citation(citation: Citation) -> str:
    pages = ""
    if citation.start_page is not None:
        last = citation.end_page
        several = last is not None and last != citation.start_page
        pages = f" pp. {citation.start_page}–{last}" if several else f" p. {citation.start_page}"
    return _shorten(f"{citation.document or 'document'}{pages}: {citation.text}")


def _fitted(answers: Sequence[ReadAnswer], texts: Sequence[_Texts]) -> list[ReadAnswer]:
    """The answers with texts that fit into a page. `characters` says how long a cut text is."""
    parts = [part for each in texts for part in (each.text, *each.tools, *each.citations)]
    cut = iter(fit(parts, MOST_BYTES))
    fitted = []
    for answer, whole in zip(answers, texts, strict=True):
        text = next(cut)
        tools = tuple(next(cut) for _ in whole.tools)
        citations = tuple(next(cut) for _ in whole.citations)
        short = len(text) < len(whole.text) or whole.characters > MOST_CHARACTERS
        fitted.append(
            msgspec.structs.replace(
                answer, text=text, characters=whole.characters if short else 0, tools=tools, citations=citations
            )
        )
    return fitted


def _seconds(start_ns: int | None, end_ns: int | None) -> float | None:
    return None if start_ns is None or end_ns is None else (end_ns - start_ns) / 1e9


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_LINE_CHARACTERS else f"{text[: MOST_LINE_CHARACTERS - 1]}…"
