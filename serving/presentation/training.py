"""What a training found, as lines that people read: the model's figures beside those of the baselines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from features.catalog.display_names import in_language, is_japanese
from serving.schemas.lifetime_responses import Evidence
from serving.schemas.responses import Contacts
from training.bundle.list_policy import list_metric
from training.statistics import finite

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle
    from training.train import TrainingResult

COLUMNS = (
    (("AUC", "AUC"), "auc"),
    (("log loss", "対数損失"), "log_loss"),
    (("calibration error", "確率のずれ"), "expected_calibration_error"),
)
BASELINES = {
    "rfm": ("logistic regression on RFM", "RFMのロジスティック回帰"),
    "buy_till_you_die": ("buy till you die", "購買間隔の確率モデル"),
    "recency": ("recency alone", "最後の行動からの日数だけ"),
    "overdue": ("overdue ratio", "普段の間隔に対する経過"),
    "base_rate": ("base rate", "全員に同じ確率"),
}
EVIDENCE_WORDS = {"normal": "通常", "low": "限定的"}
NAMES, FIGURES = 28, 26
"""Cells of a row's name and of each of its figures."""


@dataclass(frozen=True)
class WithoutContact:
    """The rows from which the risk without contact was learned."""

    campaigns: int
    left_out: int
    """Rows of treatment arms."""
    control_rows: int
    control_customers: int
    rows: int
    effective_rows: float
    other_contacts: dict[str, int]
    """By kind, remaining rows with a contact in their label that no campaign assigned."""
    calibrated_on: Literal["control", "weighted_rows"]


@dataclass(frozen=True)
class TrainingReply:
    """What became of a training."""

    promoted: bool
    unchanged: bool
    model_version: str | None
    run_id: str | None
    refusals: list[str]
    warnings: list[str]
    compared: str
    """How it was compared with the champion; empty where there was none."""
    figures: dict[str, float | None]
    evidence: Evidence
    contacts: Contacts
    without_contact: WithoutContact | None
    """From which rows; null where contacts were learned as they were."""


def reply(verdict: TrainingResult) -> TrainingReply:
    """What became of a training."""
    return TrainingReply(
        promoted=verdict.promoted,
        unchanged=verdict.unchanged,
        model_version=verdict.version,
        run_id=verdict.run_id,
        refusals=list(verdict.refusals),
        warnings=list(verdict.warnings),
        compared=verdict.compared[0],
        figures=plain({**verdict.bundle.figures, **verdict.list_figures}),
        evidence=verdict.bundle.evidence,
        contacts=verdict.bundle.contacts,
        without_contact=_without_contact(verdict.bundle),
    )


def summary_lines(verdict: TrainingResult, language: str = "en") -> Iterator[str]:
    """What became of a training, as lines."""
    version, refused = verdict.version, bool(verdict.refusals)
    if verdict.unchanged:
        rest = "It is refused again." if refused else "It stays the champion."
        rest_ja = "今回も採用を見送りました。" if refused else "引き続き本番モデルです。"
        yield in_language(
            language,
            f"Nothing is new: the same data and settings gave model {version} again, byte for byte. {rest}",
            f"新しいことはありません。同じデータと設定から、まったく同じモデル{version}ができました。{rest_ja}",
        )
    elif verdict.promoted:
        yield in_language(
            language,
            f"Model {version} is now the champion.",
            f"モデル{version}を本番モデルとして採用しました。",
        )
    else:
        yield in_language(
            language, f"Model {version} was not promoted.", f"モデル{version}は採用を見送りました。"
        )
    if verdict.compared[0]:
        yield f"  {in_language(language, *verdict.compared)}"
    refusals, warnings = _concerns(verdict, language)
    yield from (f"  {in_language(language, 'refused: ', '見送りの理由：')}{reason}" for reason in refusals)
    if refused:
        yield in_language(
            language,
            f"  To use it all the same: `kizuna models promote {version}`.",
            f"  それでも使う場合：`kizuna models promote {version}`",
        )
    yield from (f"  {in_language(language, 'warning: ', '注意：')}{warning}" for warning in warnings)
    found = _without_contact(verdict.bundle)
    if found is not None:
        yield in_language(
            language,
            "Learned without contact, the risk if no campaign contacts anybody: "
            f"{found.left_out:,} rows of treatment arms are left out, {found.control_rows:,} rows of "
            f"{found.control_customers:,} control customers stand for them.",
            "接触なしの場合のリスクを学習しました。"
            f"施策群の{found.left_out:,}行を除き、対照群{found.control_customers:,}名の"
            f"{found.control_rows:,}行を重み付けしています。",
        )
    yield from lines({**verdict.bundle.figures, **verdict.list_figures}, verdict.bundle.evidence, language)


def _without_contact(bundle: Bundle) -> WithoutContact | None:
    facts = bundle.settings.get("without_contact")
    return None if facts is None else WithoutContact(**facts)


def _concerns(verdict: TrainingResult, language: str) -> tuple[Sequence[str], Sequence[str]]:
    """The refusals and the warnings in a language; in English where the gates gave no Japanese."""
    count = len(verdict.refusals)
    if is_japanese(language) and len(verdict.japanese) == count + len(verdict.warnings):
        return verdict.japanese[:count], verdict.japanese[count:]
    return verdict.refusals, verdict.warnings


def lines(figures: Mapping[str, float], evidence: str, language: str = "en") -> Iterator[str]:
    """The test, the model and each baseline with 95 % intervals, and the differences that matter.

    The intervals resample customers, not rows.
    """
    rows, customers, churners = (figures[f"test_{name}"] for name in ("rows", "customers", "churners"))
    yield in_language(
        language,
        f"Judged at later dates: {rows:,.0f} rows of {customers:,.0f} customers, {churners:,.0f} of whom "
        f"left; evidence: {evidence}.",
        f"学習より後の日付で検証：顧客{customers:,.0f}名の{rows:,.0f}行、うち{churners:,.0f}名が離反。"
        f"根拠の強さ：{EVIDENCE_WORDS.get(evidence, evidence)}。",
    )
    headings = (padded(in_language(language, *title), FIGURES, right=True) for title, _ in COLUMNS)
    yield f"  {'':{NAMES}}" + "".join(headings)
    mine = ("this model", "このモデル")
    for name, title in {"": mine, **BASELINES}.items():
        prefix = f"baseline/{name}/" if name else ""
        if prefix + "auc" in figures:
            row = "".join(f"{_interval(figures, prefix + key):>{FIGURES}}" for _, key in COLUMNS)
            yield f"  {padded(in_language(language, *title), NAMES)}{row}"
    for name, title in BASELINES.items():
        key = f"difference/{name}"
        if name != "base_rate" and f"{key}/auc" in figures:
            auc, loss = (_interval(figures, f"{key}/{of}", "+") for of in ("auc", "log_loss"))
            yield in_language(
                language,
                f"  against {title[0]}: AUC {auc}, log loss {loss}",
                f"  {title[1]}との差：AUC {auc}、対数損失 {loss}",
            )
    precision, lift = (figures[f"{name}_at_capacity"] for name in ("precision", "lift"))
    base_rate = figures["base_rate"]
    yield in_language(
        language,
        f"  of the likeliest, as many as one list holds, {precision:.0%} left, "
        f"{lift:.1f} times the base rate of {base_rate:.1%}",
        f"  離反確率の高い順に1リスト分を取ると{precision:.0%}が離反"
        f"（全体の離反率{base_rate:.1%}の{lift:.1f}倍）",
    )
    if list_metric("value_at_risk", "precision_at_capacity") in figures:
        precision, lift = (
            figures[list_metric("value_at_risk", f"{name}_at_capacity")] for name in ("precision", "lift")
        )
        yield in_language(
            language,
            "  of those with the most value at risk, which is the order of the list, "
            f"{precision:.0%} left, {lift:.1f} times the base rate",
            f"  リスト順（リスク金額順）に1リスト分を取ると{precision:.0%}が離反（全体の{lift:.1f}倍）",
        )


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text filled up to so many cells of a terminal, where a Japanese character takes two."""
    from rich.cells import cell_len

    filling = " " * max(width - cell_len(text), 0)
    return filling + text if right else text + filling


def plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """The figures as JSON can say them: null where a figure is undefined."""
    return {name: finite(figure) for name, figure in figures.items()}


def _interval(figures: Mapping[str, float], key: str, sign: str = "") -> str:
    low, high = figures.get(f"{key}_low"), figures.get(f"{key}_high")
    point = f"{figures[key]:{sign}.3f}"
    return point if low is None or high is None else f"{point} [{low:{sign}.3f}, {high:{sign}.3f}]"
