"""What scorers call upon while a run is scored: the user's functions and the judges, each asked once for an answer."""

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


class KeepingAids:
    """Answers out of what was kept, or asks and keeps what was result."""

    def __init__(
        self, kept: Judgements, digests: Mapping[str, str], workers: Workers, judges: Judges | NoJudges
    ) -> None:
        """`digests`: of the check files by which the answers are to be graded, by name."""
        self.kept = kept
        self._digests = digests
        self._workers = workers
        self._judges = judges

    async def run_python(self, call: Call) -> FunctionResult:
        digest, answer = self._digests.get(call.file), call.case["answer"]
        if digest is None:
            raise Unscored(f"the suite has no check file {call.file!r}")
        key = digest_of("python", digest, call.function, call.request_id, answer)
        found = self.kept.find(key)
        if found is None:
            result = await self._workers.run(call, digest)
            found = Judgement(
                key=key,
                kind="python",
                by=f"{call.file}:{call.function}",
                request_id=call.request_id,
                given={} if result.value is None else {"value": result.value, "reason": result.reason},
                error=result.error,
            )
            self.kept.add(found)
        return msgspec.convert({**found.given, "error": found.error}, FunctionResult)

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        key = digest_of("judge", judge, self._judges.target(judge).model_id, question.about, request_id)
        found = self.kept.find(key)
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
            self.kept.add(found)
        return Verdict(given=found.given, error=found.error, cost_usd=found.cost_usd)


@asynccontextmanager
async def open_aids(
    run: RunFolder, suite: Suite, judges: Judges | NoJudges, check_files: Sequence[CheckFile]
) -> AsyncIterator[KeepingAids]:
    """Aids for scoring a run. Every answer goes into the run's `judgements.jsonl`.

    `check_files`: those that may be run, whatever the suite of the run names.
    """
    digests = {file.name: file.digest for file in suite.graders.check_files}
    kept = Judgements(run.judgements_path)
    try:
        async with open_workers(check_files) as workers:
            yield KeepingAids(kept, digests, workers, judges)
    finally:
        kept.close()
