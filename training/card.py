"""The model card: what a bundle says, how right it was, and where not to trust it.

One set of facts becomes Markdown and HTML, in English and in Japanese; the figures are those of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from features.timeline import Timeline
from features.words import kind_words

if TYPE_CHECKING:
    from training.bundle import Bundle
    from training.promotion import Decision

Language = Literal["en", "ja"]

METRICS: dict[str, tuple[str, str, int]] = {
    "auc": ("AUC", "AUC", 3),
    "average_precision": ("average precision", "平均適合率", 3),
    "log_loss": ("log loss", "対数損失", 4),
    "brier": ("Brier score", "ブライアスコア", 4),
    "expected_calibration_error": ("calibration error", "キャリブレーション誤差", 4),
    "precision_at_capacity": ("share of the list that left", "リスト内の離反率", 3),
    "lift_at_capacity": ("lift of the list", "リストのリフト", 2),
}
"""Metric → its words in English and in Japanese, and its decimals."""

BASELINES = {
    "base_rate": ("base rate", "全体の離反率のみ"),
    "recency": ("recency alone", "最終利用日のみ"),
    "overdue": ("overdue ratio", "普段の間隔に対する経過"),
    "rfm": ("logistic regression on RFM", "RFMのロジスティック回帰"),
}


@dataclass(frozen=True)
class Section:
    """A heading with sentences, and a table where one helps."""

    title: str
    lines: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()
    """The first row holds the column heads."""


def cards(bundle: Bundle, decision: Decision | None) -> dict[str, str]:
    """The card in both languages and both forms, by file name."""
    files = {}
    languages: tuple[Language, ...] = ("en", "ja")
    for language in languages:
        title, sections = facts(bundle, decision, language)
        files[f"model_card.{language}.md"] = markdown(title, sections)
        files[f"model_card.{language}.html"] = html(title, sections, language)
    return files


def facts(bundle: Bundle, decision: Decision | None, language: Language) -> tuple[str, list[Section]]:
    """The title and the sections of the card."""
    title = "離反予測モデルのモデルカード" if language == "ja" else "Model card: who will leave"
    writer = _Japanese(bundle, decision) if language == "ja" else _English(bundle, decision)
    return title, list(writer.sections())


def markdown(title: str, sections: Sequence[Section]) -> str:
    """The card as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += ["\n".join(f"- {line}" for line in section.lines)] if section.lines else []
        if section.table:
            head, *body = ([cell.replace("|", "\\|") for cell in row] for row in section.table)
            rule = ["---", *("---:" for _ in head[1:])]
            parts.append("\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body)))
    return "\n\n".join(parts) + "\n"


def html(title: str, sections: Sequence[Section], language: str) -> str:
    """The card as one HTML page that needs nothing else."""
    body = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        body.append(f"<h2>{escape(section.title)}</h2>")
        if section.lines:
            body.append("<ul>" + "".join(f"<li>{escape(line)}</li>" for line in section.lines) + "</ul>")
        if section.table:
            head, *rows = section.table
            body.append("<table><thead>" + _row(head, "th") + "</thead><tbody>")
            body.append("".join(_row(row, "td") for row in rows) + "</tbody></table>")
    return _PAGE.format(language=language, title=escape(title), body="\n".join(body))


class _Writer:
    """What both languages read off the bundle."""

    def __init__(self, bundle: Bundle, decision: Decision | None) -> None:
        self.bundle, self.decision, self.figures = bundle, decision, bundle.figures
        timeline = Timeline(bundle.timezone)
        self.trained = timeline.name(bundle.trained_until)
        self.calendar: dict[str, list[str]] = dict(bundle.settings.get("calendar", {}))

    def interval(self, name: str, decimals: int, prefix: str = "") -> str:
        """0.812 (0.790–0.833); a dash where it was not measured."""
        value = self.figures.get(prefix + name)
        if value is None:
            return "–"
        low, high = (self.figures.get(f"{prefix}{name}_{end}") for end in ("low", "high"))
        said = f"{value:.{decimals}f}"
        return said if low is None or high is None else f"{said} ({low:.{decimals}f}–{high:.{decimals}f})"

    def quality(self, place: Literal[0, 1], heads: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """Metrics down, the model and the measured baselines across."""
        rivals = [name for name in BASELINES if f"baseline/{name}/auc" in self.figures]
        rows = [(*heads, *(BASELINES[name][place] for name in rivals))]
        for metric, words in METRICS.items():
            if metric in self.figures:
                mine = self.interval(metric, words[2])
                theirs = (self.interval(metric, words[2], f"baseline/{name}/") for name in rivals)
                rows.append((words[place], mine, *theirs))
        return tuple(rows) if len(rows) > 1 else ()

    def tiers(self, heads: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """What was said and what happened, tier by tier."""
        rows = [heads]
        for at, name in enumerate(self.bundle.tiers.names):
            said = self.figures.get(f"reliability/tier_{at}/said")
            happened = self.figures.get(f"reliability/tier_{at}/happened")
            if said is not None and happened is not None:
                rows.append((name, f"{said:.1%}", f"{happened:.1%}"))
        return tuple(rows) if len(rows) > 1 else ()

    def span(self, role: str) -> str:
        """The as-of dates of a role: first to last, and how many."""
        dates = self.calendar.get(role, [])
        if len(dates) < 2:
            return dates[0] if dates else "–"
        return f"{dates[0]} – {dates[-1]} ({len(dates)})"

    def counted(self, name: str) -> str:
        """How many of these the training saw."""
        return f"{int(self.bundle.settings.get(name, 0)):,}"

    def number(self, name: str) -> str:
        value = self.figures.get(name)
        return "–" if value is None else f"{value:,.0f}"


class _English(_Writer):
    def sections(self) -> Iterator[Section]:
        bundle, figures, churn = self.bundle, self.figures, self.bundle.churn
        yield Section(
            "What it says",
            (
                f"The probability that a customer leaves: {churn.definition}.",
                f"The engagement tier of the next {churn.horizon.days} days "
                f"({', '.join(bundle.tiers.names)})"
                + (", and what the customer would spend if they stayed." if bundle.models.value else "."),
                "For deciding whom to approach first; not for prices, credit or anything a person is denied.",
            ),
        )
        yield Section(
            "What it learned from",
            (
                f"Events until {self.trained}, data version {bundle.data_version}, "
                f"code version {bundle.code_version}.",
                f"{self.counted('events')} events of {self.counted('customers')} customers, "
                f"{len(bundle.catalog.columns)} features.",
                f"As-of dates that taught: {self.span('fit')}; that calibrated: {self.span('calibrate')}; "
                f"that judged: {self.span('test')}.",
            ),
        )
        yield Section(
            "How good it is",
            (
                f"Judged on {self.number('test_rows')} rows of {self.number('test_customers')} customers, "
                f"{self.number('test_churners')} of whom left. Intervals are 95%, customers resampled.",
            ),
            self.quality(0, ("", "this model")),
        )
        noise = self.interval("expected_calibration_error_noise", 4)
        yield Section(
            "Are the probabilities right?",
            (
                f"{figures.get('mean_probability', 0.0):.1%} were expected to leave and "
                f"{bundle.base_rate:.1%} did.",
                f"A perfectly calibrated model would show a calibration error of {noise} at this size.",
            ),
            self.tiers(("tier today", "said", "happened")),
        )
        yield Section("Where not to trust it", tuple(self.limits()))
        if self.decision is not None:
            verdict = "Became the champion." if self.decision.promoted else "Did not become the champion."
            yield Section("Decision", (verdict, *self.decision.refusals, *self.decision.warnings))

    def limits(self) -> Iterator[str]:
        if self.bundle.evidence == "low":
            yield (
                "Evidence is low: there are too few dates, or too few customers who left or stayed, to judge "
                "it on later dates than those that taught."
            )
        yield "A reason says what the model reads, not what would happen if it were changed."
        yield "It knows nothing of a season, a price or a rival that its history does not hold."
        yield "Customers who had already left, or who never started, get no probability."


class _Japanese(_Writer):
    def sections(self) -> Iterator[Section]:
        bundle, figures, churn = self.bundle, self.figures, self.bundle.churn
        days = churn.horizon.days

        def said(kinds: Sequence[str]) -> str:
            return "・".join(kind_words(kind).ja for kind in kinds)

        what = (
            f"{said(churn.started_by)}が{days}日間ないこと（直近{churn.active_days}日に実績のある顧客が対象）"
            if churn.type == "inactivity"
            else f"契約中の顧客に{days}日以内に{said(churn.ended_by)}が発生すること"
        )
        lead = (
            f"予測は基準日の{churn.horizon.lead_days}日後から始まります。" if churn.horizon.lead_days else ""
        )
        yield Section(
            "何を予測するか",
            (
                f"離反確率：{what}。{lead}",
                f"次の{days}日間のエンゲージメント階層（{'・'.join(bundle.tiers.names)}）"
                + ("と、継続した場合の購買金額。" if bundle.models.value else "。"),
                "用途は、優先して働きかける顧客を決めること。価格や与信など、顧客に不利益となる判断には使いません。",
            ),
        )
        yield Section(
            "学習データ",
            (
                f"{self.trained}までのイベント"
                f"（データ版 {bundle.data_version}、コード版 {bundle.code_version}）。",
                f"顧客{self.counted('customers')}人、イベント{self.counted('events')}件、"
                f"特徴量{len(bundle.catalog.columns)}個。",
                f"基準日：学習 {self.span('fit')}、確率の補正 {self.span('calibrate')}、"
                f"評価 {self.span('test')}。",
            ),
        )
        yield Section(
            "精度",
            (
                f"評価対象は{self.number('test_customers')}人・{self.number('test_rows')}行で、"
                f"うち{self.number('test_churners')}人が離反。括弧内は顧客単位の再抽出による95%区間。",
            ),
            self.quality(1, ("", "このモデル")),
        )
        noise = self.interval("expected_calibration_error_noise", 4)
        yield Section(
            "確率は正しいか",
            (
                f"予測では平均{figures.get('mean_probability', 0.0):.1%}、"
                f"実際の離反率は{bundle.base_rate:.1%}。",
                f"この件数では、完全に正しいモデルでもキャリブレーション誤差は{noise}程度になります。",
            ),
            self.tiers(("現在の階層", "予測", "実績")),
        )
        yield Section("利用上の注意", tuple(self.limits()))
        if self.decision is not None:
            verdict = (
                "本番モデルに採用しました。" if self.decision.promoted else "本番モデルには採用していません。"
            )
            yield Section("採否", (verdict, *self.decision.refusals, *self.decision.warnings))

    def limits(self) -> Iterator[str]:
        if self.bundle.evidence == "low":
            yield (
                "根拠は限定的です：日付の数、または離反・継続した顧客の数が足りず、"
                "学習より後の日付で評価できていません。"
            )
        yield "理由はモデルが着目した点であり、それを変えれば結果が変わることを保証するものではありません。"
        yield "履歴に現れていない季節性、価格改定、競合の動きは考慮されません。"
        yield "すでに離反した顧客、まだ利用を始めていない顧客には確率を付けません。"


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.7 system-ui, "Hiragino Sans", "Noto Sans JP", sans-serif; color: #26323d;
  max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem; }}
h1 {{ font-size: 1.7rem; border-bottom: 3px solid #0b6e8f; padding-bottom: .4rem; }}
h2 {{ font-size: 1.15rem; margin-top: 2.2rem; color: #0b6e8f; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .45rem .8rem; border-bottom: 1px solid #e3e8ec; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
thead th {{ border-bottom: 2px solid #c3ccd3; }}
td:nth-child(2) {{ font-weight: 600; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
