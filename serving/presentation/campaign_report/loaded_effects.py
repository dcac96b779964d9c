"""The effects of a campaign that was run elsewhere as the cells of a table."""

from __future__ import annotations

from features.catalog.display_names import in_language
from serving.schemas.campaign_results import LoadedCampaignReply, LoadedEffectReply

HEADERS = (
    ("Outcome", "成果"),
    ("Treated", "施策群"),
    ("Mean", "平均"),
    ("Control", "対照群"),
    ("Difference", "差"),
    ("95% interval", "95%区間"),
)
UNADJUSTED = ("Unadjusted", "調整前の差")
POOLED_WORDS = ("all", "全体")


def effect_headers(loaded: LoadedCampaignReply, language: str) -> list[str]:
    """The columns of the table of effects; the plain difference only where it was adjusted."""
    return [
        in_language(language, *header) for header in (*HEADERS, *([UNADJUSTED] if _adjusted(loaded) else []))
    ]


def effect_cells(loaded: LoadedCampaignReply, one: LoadedEffectReply, language: str) -> list[str]:
    """One effect as the cells of a row."""
    level, change = (_share, _points) if one.unit == "share" else (_amount, _gain)
    return [
        one.outcome,
        in_language(language, *POOLED_WORDS) if one.treated == POOLED_WORDS[0] else one.treated,
        level(one.treated_mean),
        level(one.control_mean),
        change(one.difference),
        "–" if one.low is None or one.high is None else f"{change(one.low)} – {change(one.high)}",
        *([change(one.unadjusted.difference)] if _adjusted(loaded) else []),
    ]


def _adjusted(loaded: LoadedCampaignReply) -> bool:
    return any(one.difference != one.unadjusted.difference for one in loaded.effects)


def _share(value: float) -> str:
    return f"{value:.2%}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _amount(value: float) -> str:
    return f"{value:,.4g}"


def _gain(value: float) -> str:
    return f"{value:+,.3g}"
