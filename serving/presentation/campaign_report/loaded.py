"""The result of a campaign that was run elsewhere, as a page and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from features.catalog.display_names import in_language
from serving.presentation.campaign_report.csv_rows import csv_line
from serving.presentation.campaign_report.loaded_effects import effect_cells, effect_headers
from serving.presentation.csv import BOM
from serving.presentation.messages.catalog import translated
from serving.schemas.campaign_results import LoadedCampaignReply, UpliftReply

COLUMNS = (
    "campaign", "outcome", "unit", "treated", "control", "treated_mean", "control_mean",
    "difference", "low", "high", "ratio", "ratio_low", "ratio_high", "method",
    "unadjusted_difference", "unadjusted_low", "unadjusted_high",
)  # fmt: skip


def loaded_csv(loaded: LoadedCampaignReply) -> Iterator[str]:
    """A heading, and a line for each effect; numbers are those of the JSON."""
    yield BOM + csv_line(COLUMNS)
    for one in loaded.effects:
        yield csv_line([
            loaded.campaign, one.outcome, one.unit, one.treated, one.control,
            one.treated_mean, one.control_mean,
            one.difference, one.low, one.high, one.ratio, one.ratio_low, one.ratio_high, one.method,
            one.unadjusted.difference, one.unadjusted.low, one.unadjusted.high,
        ])  # fmt: skip


def loaded_page(loaded: LoadedCampaignReply, language: str) -> str:
    """The whole page, without scripts, links or images."""
    title = escape(f"{in_language(language, 'Campaign', '施策')}: {loaded.campaign}")
    style = files("serving.reports").joinpath("report.css").read_text(encoding="utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    arms = " · ".join(f"{escape(arm)} {count:,}" for arm, count in loaded.arms.items())
    where = in_language(
        language, "Run elsewhere, loaded from a table.", "外部で実施し、表から読み込んだ施策です。"
    )
    headings = "".join(
        f"<th{' class=n' if place > 1 else ''}>{escape(name)}</th>"
        for place, name in enumerate(effect_headers(loaded, language))
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if place > 1 else ''}>{escape(cell)}</td>"
            for place, cell in enumerate(effect_cells(loaded, one, language))
        )
        + "</tr>"
        for one in loaded.effects
    )
    notes = "".join(f"<p>{escape(translated(note, language))}</p>" for note in loaded.notes)
    points = in_language(language, "Differences of rates are in points.", "割合の差はポイントです。")
    return (
        f'<!doctype html><html lang="{language}"><head>{head}<title>{title}</title><style>{style}</style>'
        f'</head><body><main><h1>{title}</h1><p class="soft">{where} {arms}</p>'
        f"<table><thead><tr>{headings}</tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="soft">{points}</p>{_uplift(loaded.uplift, language)}{notes}</main></body></html>'
    )


def _uplift(uplift: UpliftReply | None, language: str) -> str:
    if uplift is None:
        return ""
    heading = in_language(language, "Whom contact helps", "誰に施策が効くか")
    figures = ""
    if uplift.qini is not None and uplift.low is not None and uplift.high is not None:
        figures = in_language(
            language,
            f"{uplift.outcome}, {uplift.treated}: Qini {uplift.qini:+.2f} ({uplift.low:+.2f} to "
            f"{uplift.high:+.2f}) per {uplift.per:,} treated customers.",
            f"{uplift.outcome}・{uplift.treated}：Qini係数 {uplift.qini:+.2f}（{uplift.low:+.2f}〜"
            f"{uplift.high:+.2f}、施策群{uplift.per:,}人あたり）。",
        )
    return f"<h2>{heading}</h2><p>{escape(figures)} {escape(translated(uplift.reason, language))}</p>"
