"""The answer of `kizuna doctor` as text: data, findings, churn definitions, recommendation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language
from features.events.schema import ATTRIBUTE
from serving.presentation.i18n import percent
from serving.presentation.terminal import NARROW, wrapped
from serving.schemas.doctor import (
    DataSummary,
    DoctorReply,
    FeasibleHorizon,
    InfeasibleHorizon,
    KindSummary,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(answer: DoctorReply, language: str) -> None:
    """Print the examination for a person."""
    from rich.console import Console

    console = Console(highlight=False)
    _show_data(console, answer.data, language)
    if answer.findings:
        _head(console, in_language(language, "What wants a look", "確認したい点"))
        for one in answer.findings:
            _bullet(console, "[yellow]![/yellow]", one.sentence)
    if answer.horizons:
        _head(console, in_language(language, "What churn could mean", "離反の定義の候補"))
        console.print(_horizons(answer.horizons, language, wide=console.width >= NARROW))
        if any(not one.fits for one in answer.horizons):
            for sentence in _too_long(answer, language):
                console.print(f"  {sentence}", style="dim", markup=False)
    advice = answer.recommendation
    _head(console, in_language(language, "Recommendation", "おすすめの設定"))
    for sentence in advice.sentences:
        _bullet(console, "·", sentence)
    if advice.block:
        console.print(f"\n{advice.block}", style="green", markup=False, soft_wrap=True)


def _line(console: Console, markup: str) -> None:
    console.print(wrapped(markup))


def _head(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _bullet(console: Console, mark: str, text: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(f"  {mark}", wrapped(escape(text)))
    console.print(grid)


def _show_data(console: Console, data: DataSummary, language: str) -> None:
    _line(
        console,
        in_language(
            language,
            f"[bold]{data.events:,} events of {data.customers:,} customers[/bold], {data.first} – "
            f"{data.newest} ({data.days:,.0f} days, {data.timezone}); "
            f"{data.customers_with_one_event:,} customers have a single one",
            f"[bold]イベント{data.events:,}件、顧客{data.customers:,}名[/bold]（{data.first}〜{data.newest}の"
            f"{data.days:,.0f}日間、{data.timezone}）。イベントが1件だけの顧客は"
            f"{data.customers_with_one_event:,}名",
        ),
    )
    if data.quarantined:
        _line(
            console,
            in_language(
                language,
                f"{data.quarantined:,} rows quarantined ({percent(data.quarantined_share)}), "
                f"{data.without_customer:,} of them without a customer",
                f"隔離 {data.quarantined:,}行（{percent(data.quarantined_share)}）、"
                f"うち顧客なし {data.without_customer:,}行",
            ),
        )
    table = _table(
        (in_language(language, "Indicator", "指標"), False),
        (in_language(language, "Kind", "種別"), False),
        (in_language(language, "Events", "件数"), True),
        (in_language(language, "Customers", "顧客数"), True),
        (in_language(language, "First", "最初"), False),
        (in_language(language, "Newest", "最新"), False),
    )
    for names, kind in _rows(data):
        table.add_row(
            names or in_language(language, "[yellow]none[/yellow]", "[yellow]なし[/yellow]"),
            _plain(kind.name),
            f"{kind.events:,}",
            f"{kind.customers:,}",
            kind.first,
            kind.newest,
        )
    console.print(table)


def _rows(data: DataSummary) -> Iterable[tuple[str, KindSummary]]:
    """Kinds under their indicators, in the indicators' order; what no indicator names comes last."""
    order = [one.name for one in data.indicators]

    def names(kind: KindSummary) -> list[str]:
        return ["profile"] if kind.name.startswith(ATTRIBUTE) else kind.indicators

    def place(kind: KindSummary) -> int:
        return min((order.index(name) for name in names(kind) if name in order), default=len(order))

    for kind in sorted(data.kinds, key=place):
        yield _plain(", ".join(names(kind))), kind


def _horizons(horizons: Sequence[FeasibleHorizon | InfeasibleHorizon], language: str, *, wide: bool) -> Table:
    both = len({one.definition.type for one in horizons}) > 1
    feasible = [one for one in horizons if isinstance(one, FeasibleHorizon)]
    table = _table(
        *([(in_language(language, "Type", "種類"), False)] if both else []),
        (in_language(language, "Days", "期間"), True),
        (in_language(language, "Active in", "対象期間"), True),
        (in_language(language, "Cohort", "対象"), True),
        (in_language(language, "Leave", "離反率"), True),
        (in_language(language, "Came back", "復帰率"), True),
        ("AUC", False),
        (
            in_language(language, *(("Labelled dates", "ラベル付き基準日") if wide else ("Dates", "基準日"))),
            False,
        ),
        (in_language(language, "Fit/cal/test", "学習/較正/検証"), False),
    )
    for column in table.columns:
        column.no_wrap = column.header in ("AUC", in_language(language, "Leave", "離反率"))
    types = {"inactivity": ("inactivity", "不活動"), "contract": ("contract", "契約")}
    if both and not wide:  # nine columns in 80 characters
        table.show_edge, table.padding = False, (0, 0)
        for column in table.columns:
            column.header = str(column.header).replace(" ", "\n")
    for one in feasible:
        churn = one.definition
        spread = f" [dim]({one.base_rate_lowest:.0%}–{one.base_rate_highest:.0%})[/dim]"
        roles = "/".join(str(role.dates) for role in (one.fit, one.calibrate, one.test))
        dates, first = one.labelled.dates, one.labelled.first
        table.add_row(
            *([in_language(language, *types[churn.type])] if both else []),
            f"{churn.horizon_days}{'*' if one.configured else ''}",
            str(churn.active_days) if churn.type == "inactivity" else "–",
            f"{one.cohort:,}",
            percent(one.base_rate) + (spread if wide else ""),
            "–" if one.came_back is None else f"{one.came_back:.0%}",
            "/".join(f"{ahead.recency_auc:.2f}" for ahead in one.foresight) or "–",
            f"{dates} ({first}–)" if wide else str(dates),
            roles if one.evidence == "normal" else in_language(language, "low evidence", "根拠は限定的"),
        )
    watched = max((one.came_back_within_days or 0 for one in feasible), default=0)
    notes = []
    if any(one.configured for one in feasible):
        notes.append(in_language(language, "* what [churn] says now", "* 現在の [churn] の設定"))
    if watched:
        notes.append(
            in_language(
                language,
                f"came back: of those called gone, within {watched} days after",
                f"復帰率：離反とみなした顧客のうち、その後{watched}日以内に戻った割合",
            )
        )
    if any(one.foresight for one in feasible):
        notes.append(
            in_language(
                language,
                "AUC: of recency alone, asked just before the horizon/half a horizon/a whole one earlier",
                "AUC：最後の行動からの日数だけによる順位付け（期間の直前/半期間前/1期間前に予測した場合）",
            )
        )
    table.caption = _plain("\n".join(notes)) or None
    table.caption_justify = "left"
    return table


def _too_long(answer: DoctorReply, language: str) -> Iterable[str]:
    """Which horizons the events are too short for."""
    too_long = [one for one in answer.horizons if isinstance(one, InfeasibleHorizon)]
    have = int(answer.data.days)
    pairs = ", ".join(f"{one.definition.horizon_days} ({one.needed_days})" for one in too_long)
    yield in_language(
        language,
        f"Too long for {have} days of events: {pairs} (days needed)",
        f"{have}日分のイベントでは足りない期間：{pairs}（必要な日数）",
    )


def _table(*columns: tuple[str, bool]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, right in columns:
        widest = max(len(part) if part.isascii() else 0 for part in name.split())  # no word is cut
        table.add_column(name, justify="right" if right else "left", overflow="fold", min_width=widest)
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
