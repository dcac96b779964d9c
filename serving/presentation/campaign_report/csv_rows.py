"""A campaign's report as CSV: one line for each effect, at review dates, within groups and at looks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from serving.presentation.csv import BOM, harmless
from serving.schemas.campaign_responses import CampaignReport, OutcomeEffect

COLUMNS = (
    "campaign", "part", "months", "date", "by", "group", "declared", "outcome", "unit", "customers",
    "treatment", "control", "difference", "low", "high", "ratio", "ratio_low", "ratio_high", "method",
    "unadjusted_difference", "unadjusted_low", "unadjusted_high",
)  # fmt: skip


def report_csv(report: CampaignReport) -> Iterator[str]:
    """A heading and the lines: `part` is review, group or sequence; numbers are those of the JSON."""
    yield BOM + csv_line(COLUMNS)
    for review in report.reviews:
        for effect in review.effects:
            yield _effect(report, ("review", review.months, review.date, "", "", ""), effect)
        for group in review.groups:
            place = ("group", review.months, review.date, group.by, group.group, group.declared)
            for effect in group.effects:
                yield _effect(report, place, effect)
    for look in report.sequence:
        for effect in look.effects:
            yield _effect(report, ("sequence", look.months, look.date, "", "", ""), effect)


def _effect(
    report: CampaignReport, place: tuple[str, int | None, str, str, str, bool | str], effect: OutcomeEffect
) -> str:
    part, months, date, by, group, declared = place
    plain = effect.unadjusted
    return csv_line([
        report.campaign, part, months, date, by, group,
        declared if isinstance(declared, str) else ("yes" if declared else "no"),
        effect.outcome, effect.unit, effect.customers,
        effect.treatment, effect.control, effect.difference, effect.low, effect.high,
        effect.ratio, effect.ratio_low, effect.ratio_high, effect.method,
        plain.difference, plain.low, plain.high,
    ])  # fmt: skip


def csv_line(cells: Sequence[str | float | int | None]) -> str:
    """A line of CSV in which no text is taken for a formula."""
    line = io.StringIO()
    safe = [harmless(cell) if isinstance(cell, str) else cell for cell in cells]
    csv.writer(line, lineterminator="\r\n").writerow(safe)
    return line.getvalue()
