"""Writes the page of measures from their records, with the stages, the axes and the words of the playbook."""

from __future__ import annotations

from serving.reports.behaviour_attitude import CELLS
from serving.reports.metric_definitions import MEASURES, REASONS, RequiredInput
from serving.schemas.terms import OUTCOME_WORDS, STAGE_WORDS

INTERVALS = {
    "wilson": "Wilson score interval of the share (Wilson 1927)",
    "ratio": "linearised normal interval of the mean or ratio over its units (Cochran 1977, chapter 6)",
    "none": "a count: none",
}
CUT_WORDS = {"channel": "channel", "place": "store or agent", "detail": "subject", "tier": "tier"}
BANDS = ("low", "middle", "high")

HEAD = """\
# Measures

What `kizuna report` counts. Every measure is Σy ÷ Σx over units (answers, orders, customers, posts), with its
95 % interval and the number of customers behind it: for the last 3, 6 or 12 whole months and each of them,
against the time before and the same time a year earlier, and by segment (every attribute with 2 to 20 values,
the one known last), channel, place and subject. A figure whose time the record does not cover is not given.

An *active customer* did something in the period; what the company did, survey answers and refunds are no
activity. A *customer* is one who can still leave: the cohort of `[churn]`.
"""
ODD = """\
## What odd input means

| input | answer |
|---|---|
| a survey answer off its scale; for NPS also no whole number | not in the measure, and counted as left out |
| a reach of 0, or reactions without reach or post | not in the rates, and counted as left out |
| an inquiry without an answer | an inquiry; it has no answer time and is not answered within a day |
| a contract renewed before it started | a customer from the renewal on |
| a refund | takes back value; it is no order and makes nobody active |
| one customer in two loyalty programmes | counts in the one joined last, and is marked `in_two_programmes` |
| a birthday that is no date | none |
"""


def measures_page() -> str:
    """Every measure with formula, units, interval and source; then stages, axes and outcomes."""
    lines = [HEAD]
    for measure in MEASURES:
        cuts = ", ".join(["segment", *(CUT_WORDS[cut] for cut in measure.cuts)])
        lines += [
            f"## {measure.english} · {measure.japanese}",
            "",
            f"`{measure.name}` = {measure.formula}.",
            "",
            f"{measure.formula_ja}。",
            "",
            f"- needs: {'; '.join(map(_need, measure.needs)) or 'any events'}",
            f"- interval: {INTERVALS[measure.interval]}",
            f"- by: {cuts}",
            f"- definition: {measure.source}",
            "",
        ]
    lines += [
        ODD,
        "Left out, and said so: " + "; ".join(f"{en} ({ja})" for en, ja in REASONS.values()) + ".",
        "",
    ]
    lines += [
        "## Two axes",
        "",
        "Thirds of the tiers (rows) beside attitude (the last answer from 0 to 10 within a year).",
        "",
    ]
    lines += ["| tiers | attitude | name | 名称 |", "|---|---|---|---|"]
    lines += [f"| {BANDS[band]} | {attitude} | {en} | {ja} |" for (band, attitude), (en, ja) in CELLS.items()]
    lines += ["", "## Nurture stages", "", "| stage | English | 日本語 |", "|---|---|---|"]
    lines += [f"| `{name}` | {en} | {ja} |" for name, (en, ja) in STAGE_WORDS.items()]
    lines += [
        "",
        "## What becomes of a customer in the plan",
        "",
        "| outcome | English | 日本語 |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {en} | {ja} |" for name, (en, ja) in OUTCOME_WORDS.items()]
    return "\n".join(lines) + "\n"


def _need(need: RequiredInput) -> str:
    said = f"events of {need.indicator}" if need.indicator else f"events of {', '.join(need.kinds)}"
    said = {
        "events of churn started": "events that make a customer one ([churn])",
        "events of contract started": "contracts started or renewed",
    }.get(said, said)
    asked = [f"with {what}" for what in (need.value, need.detail) if what]
    return " ".join([said, " and ".join(asked)]).strip()
