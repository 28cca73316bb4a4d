"""The aids of a run's scorers: check functions and judges, each called until it has a result for an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from harness.scoring.judgements import Judgement, Judgements, digest_of
from harness.scoring.judging.judges import Judges, NoJudges
from harness.scoring.python.processes import Workers, open_workers
from harness.scoring.scorer import Call, FunctionResult, Question, Unscored, Verdict
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Suite


class CachingAids:
    """Returns the stored judgement of an answer. If there is none, or it failed, asks for one and stores it."""

    def __init__(
        self, judgements: Judgements, digests: Mapping[str, str], workers: Workers, judges: Judges | NoJudges
    ) -> None:
        """`digests`: check file → digest of the version that grades the answers."""
        self.judgements = judgements
        self._digests = digests
        self._workers = workers
        self._judges = judges

    async def run_python(self, call: Call) -> FunctionResult:
        digest, answer = self._digests.get(call.file), call.case["answer"]
        if digest is None:
            raise Unscored(f"the suite has no check file {call.file!r}")
        key = digest_of("python", digest, call.function, call.request_id, answer)
        found = self.judgements.find(key)
        if found is None or (found.error is not None and self._workers.has(call.file, digest)):
            result = await self._workers.run(call, digest)
            found = Judgement(
                key=key,
                kind="python",
                by=f"{call.file}:{call.function}",
                request_id=call.request_id,
                given={} if result.value is None else {"value": result.value, "reason": result.reason},
                error=result.error,
            )
            self.judgements.add(found)
        return msgspec.convert({**found.given, "error": found.error}, FunctionResult)

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        key = digest_of("judge", judge, self._judges.target(judge).model_id, question.about, request_id)
        found = self.judgements.find(key)
        if found is None or (found.error is not None and self._judges.asks):
            verdict = await self._judges.ask(judge, question, key)
            before = None if found is None else found.cost_usd
            spent = [each for each in (verdict.cost_usd, before) if each is not None]
            found = Judgement(
                key=key,
                kind="judge",
                by=judge,
                request_id=request_id,
                given=verdict.given,
                error=verdict.error,
                cost_usd=sum(spent) if spent else None,
            )
            self.judgements.add(found)
        return Verdict(given=found.given, error=found.error, cost_usd=found.cost_usd)


@asynccontextmanager
async def open_aids(
    run: RunFolder, suite: Suite, judges: Judges | NoJudges, check_files: Sequence[CheckFile]
) -> AsyncIterator[CachingAids]:
    """Aids for scoring a run. Every judgement is written to the run's `judgements.jsonl`.

    Only `check_files` may be run, whatever files the run's suite names.
    """
    digests = {file.name: file.digest for file in suite.graders.check_files}
    judgements = Judgements(run.judgements_path)
    try:
        async with open_workers(check_files) as workers:
            yield CachingAids(judgements, digests, workers, judges)
    finally:
        judgements.close()
