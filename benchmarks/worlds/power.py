"""How often a known difference is found, at the n that the formulas and the dry run name."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from worlds.draws import PROMPT_SPREAD, REQUEST_SPREAD, Rng, draw_latencies, draw_side, in_order, reports
from worlds.tables import SEED, Row, Table

from harness.analysis.compare.sample_size.detectable import find_detectable
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.power import TIME_EFFECT, pairs_for_difference, pairs_to_rule_out, samples_for_ratio
from harness.analysis.stats.proportions import paired_difference
from harness.analysis.stats.time_blocks import compare_quantiles


def power_rows(scale: float) -> Iterator[Row]:
    """What the formulas promise at their own n: 80 %."""
    rng = np.random.default_rng(SEED + 1)
    rounds = max(5, round(2000 * scale))
    for discordance, difference in ((0.10, 0.03), (0.10, 0.05), (0.20, 0.05), (0.20, 0.10)):
        n = pairs_for_difference(difference, discordance)
        tables = _tables(rng, n, discordance, difference, rounds)
        found = [effect.p_value is not None and effect.p_value < 0.05 and (effect.low or 0) > 0 for effect in tables]
        told = f"{100 * difference:.0f} points, {discordance:.0%} discordant: significant"
        yield Row(told, (f"{n}", "80", f"{100 * np.mean(found):.1f}"))
    for discordance, margin in ((0.10, 0.05), (0.20, 0.05)):
        n = pairs_to_rule_out(margin, discordance)
        found = [
            effect.high is not None and effect.high < margin for effect in _tables(rng, n, discordance, 0.0, rounds)
        ]
        told = f"no difference, {discordance:.0%} discordant: not worse than {100 * margin:.0f} points"
        yield Row(told, (f"{n}", "80", f"{100 * np.mean(found):.1f}"))
    for q, ratio in ((0.5, 1.15), (0.95, 1.25)):
        spread = math.hypot(PROMPT_SPREAD, REQUEST_SPREAD)
        n = math.ceil(TIME_EFFECT * samples_for_ratio(q, math.log(ratio), spread=spread, alpha=0.025))
        hits = []
        for _ in range(max(5, round(300 * scale))):
            old, new = draw_latencies(rng, n, 1, shift=math.log(ratio))
            effect = compare_quantiles(in_order(new, 1), in_order(old, 1), [q])[0]
            hits.append(effect.low is not None and effect.low > 0)
        told = f"p{round(100 * q)} {ratio - 1:+.0%}: significant (unpaired, with the dry run's design effect)"
        yield Row(told, (f"{n}", "80", f"{100 * np.mean(hits):.1f}"))
    family = "2 candidates × 5 metrics: verdict `worse` at the dry run's n"
    foreseen = {each.metric: each for each in find_detectable(draw_side(rng, 20, 1, candidates=2).suite).metrics}
    for changes, metric, told in (
        ({"skill": 0.10}, "pass_rate", f"10 points less skill, margin 5, {family}"),
        ({"slower": 2 * math.log(1.15)}, "ttft_p95", f"TTFT +32 %, margin 15 %, {family}"),
    ):
        prompts = foreseen[metric].prompts_for_worse or 0
        found_reports = reports(max(1, round(60 * scale)), prompts, 1, candidates=2, **changes)
        rows = [r for report in found_reports for c in report.comparisons for r in c.differences if r.metric == metric]
        yield Row(told, (f"{prompts}", "80", f"{100 * np.mean([row.verdict == 'worse' for row in rows]):.1f}"))


def _tables(rng: Rng, n: int, discordance: float, difference: float, rounds: int) -> Iterator[Effect]:
    """Paired outcomes with so many discordant pairs and so much more failing of the candidate, as failures."""
    only_candidate = (discordance + difference) / 2
    shares = [only_candidate, discordance - only_candidate, 0.05, 0.95 - discordance]
    for only_new, only_old, both, _ in rng.multinomial(n, shares, rounds):
        candidate, baseline = np.zeros(n), np.zeros(n)
        candidate[:only_new] = 1
        baseline[only_new : only_new + only_old] = 1
        candidate[n - both :] = baseline[n - both :] = 1
        yield paired_difference(candidate, baseline)


TABLES = (Table("power", "Power, % found", ("difference", "n", "promised", "found"), power_rows),)
