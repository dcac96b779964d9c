"""What `kizuna doctor` says: the data, what wants a look, what churn could mean, and what to write down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from features.catalog.display_names import in_language
from features.events.schema import ATTRIBUTE
from serving.presentation.i18n import percent
from serving.presentation.terminal import NARROW

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from features.profiling.finding import CheckFinding
    from features.profiling.profile import DataProfile
    from features.timeline import Timeline
    from training.diagnosis.candidates import ChurnCandidate, Diagnosis, InfeasibleCandidate
    from training.diagnosis.recommendation import ChurnRecommendation
    from training.labels.settings import Churn

Reply = Mapping[str, Any]


def reply(
    inventory: DataProfile,
    found: Sequence[CheckFinding],
    diagnosis: Diagnosis,
    advice: ChurnRecommendation,
    timeline: Timeline,
    language: str,
) -> dict[str, Any]:
    """The whole examination as plain data, its sentences in one language."""
    return {
        "data": _data(inventory, timeline),
        "findings": [
            {"name": one.name, "sentence": in_language(language, one.english, one.japanese), **one.figures}
            for one in found
        ],
        "horizons": [
            *(_candidate(one, timeline) for one in diagnosis.candidates),
            *(_unfit(one) for one in diagnosis.unfit),
        ],
        "customers_examined": diagnosis.customers,
        "recommendation": {
            "enough_data": advice.candidate is not None,
            "churn": None if advice.candidate is None else _meaning(advice.candidate.churn),
            "sentences": list(in_language(language, advice.english, advice.japanese)),
            "block": advice.block,
        },
    }


def _data(inventory: DataProfile, timeline: Timeline) -> dict[str, Any]:
    def day(instant: int) -> str:
        return timeline.local(instant).date().isoformat()

    return {
        "data_version": inventory.version,
        "rows": inventory.events + inventory.attributes,
        "events": inventory.events,
        "attributes": inventory.attributes,
        "customers": inventory.customers,
        "customers_with_one_event": inventory.once,
        "first": day(inventory.first),
        "newest": day(inventory.newest),
        "days": inventory.span,
        "timezone": timeline.timezone,
        "quarantined": inventory.quarantined,
        "quarantined_share": inventory.share(inventory.quarantined),
        "without_customer": inventory.without_customer,
        "without_customer_share": inventory.share(inventory.without_customer),
        "refused": [
            {"source": one.source, "reason": one.reason, "rows": one.rows} for one in inventory.refused
        ],
        "indicators": [
            {
                "name": side.indicator.name,
                "origin": side.indicator.origin,
                "kinds": list(side.kinds),
                "events": side.events,
                "customers": side.customers,
                "days_with_events": int((side.days > 0).sum()),
            }
            for side in inventory.sides
        ],
        "kinds": [
            {
                "name": kind.name,
                "indicators": list(kind.indicators),
                "events": kind.events,
                "customers": kind.customers,
                "with_value": kind.valued,
                "negative": kind.negative,
                "first": day(kind.first),
                "newest": day(kind.newest),
            }
            for kind in inventory.kinds
        ],
    }


def _meaning(churn: Churn) -> dict[str, Any]:
    names = ("started_by", "ended_by", "completed_by") if churn.type == "contract" else ("indicators",)
    return {
        "type": churn.type,
        **{name: list(getattr(churn, name)) for name in names},
        "active_days": churn.active_days,
        "horizon_days": churn.horizon.days,
        "lead_days": churn.horizon.lead_days,
    }


def _candidate(one: ChurnCandidate, timeline: Timeline) -> dict[str, Any]:
    def role(dates: Sequence[int]) -> dict[str, Any]:
        days = [timeline.local(date).date().isoformat() for date in dates]
        return {"dates": len(days), "first": days[0], "last": days[-1]}

    dates = one.calendar
    return {
        **_meaning(one.churn),
        "configured": one.configured,
        "fits": True,
        "cohort": round(one.cohort),
        "churned": round(one.churned),
        "base_rate": one.base_rate,
        "base_rate_lowest": one.lowest_rate,
        "base_rate_highest": one.highest_rate,
        "came_back": one.came_back,
        "came_back_within_days": one.watched_days,
        "foresight": [{"lead_days": f.lead_days, "recency_auc": f.auc} for f in one.foresight],
        "evidence": "low" if dates.cross_fitted else "normal",
        "labelled": role(dates.labelled),
        "fit": role(dates.fit),
        "calibrate": role(dates.calibrate),
        "test": role(dates.test),
    }


def _unfit(one: InfeasibleCandidate) -> dict[str, Any]:
    return {
        **_meaning(one.churn),
        "configured": one.configured,
        "fits": False,
        "needed_days": one.needed_days,
    }


def show(answer: Reply, language: str) -> None:
    """Print the examination for a person."""
    from rich.console import Console

    console = Console(highlight=False)
    _show_data(console, answer["data"], language)
    if answer["findings"]:
        _head(console, in_language(language, "What wants a look", "確認したい点"))
        for one in answer["findings"]:
            _bullet(console, "[yellow]![/yellow]", one["sentence"])
    if answer["horizons"]:
        _head(console, in_language(language, "What churn could mean", "離反の定義の候補"))
        console.print(_horizons(answer["horizons"], language, wide=console.width >= NARROW))
        if any(not one["fits"] for one in answer["horizons"]):
            for sentence in _too_long(answer, language):
                console.print(f"  {sentence}", style="dim", markup=False)
    advice = answer["recommendation"]
    _head(console, in_language(language, "Recommendation", "おすすめの設定"))
    for sentence in advice["sentences"]:
        _bullet(console, "·", sentence)
    if advice["block"]:
        console.print(f"\n{advice['block']}", style="green", markup=False, soft_wrap=True)


def _head(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


def _bullet(console: Console, mark: str, text: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(f"  {mark}", escape(text))
    console.print(grid)


def _show_data(console: Console, data: Reply, language: str) -> None:
    console.print(
        in_language(
            language,
            f"[bold]{data['events']:,} events of {data['customers']:,} customers[/bold], {data['first']} – "
            f"{data['newest']} ({data['days']:,.0f} days, {data['timezone']}); "
            f"{data['customers_with_one_event']:,} customers have a single one",
            f"[bold]{data['customers']:,}名のイベント {data['events']:,}件[/bold]、{data['first']}〜"
            f"{data['newest']}（{data['days']:,.0f}日間、{data['timezone']}）。1件だけの顧客は"
            f"{data['customers_with_one_event']:,}名",
        )
    )
    if data["quarantined"]:
        console.print(
            in_language(
                language,
                f"{data['quarantined']:,} rows quarantined ({percent(data['quarantined_share'])}), "
                f"{data['without_customer']:,} of them without a customer",
                f"隔離 {data['quarantined']:,}行（{percent(data['quarantined_share'])}）、"
                f"うち顧客なし {data['without_customer']:,}行",
            )
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
            _plain(kind["name"]),
            f"{kind['events']:,}",
            f"{kind['customers']:,}",
            kind["first"],
            kind["newest"],
        )
    console.print(table)


def _rows(data: Reply) -> Iterable[tuple[str, Reply]]:
    """Kinds under their indicators, in the indicators' order; what no indicator names comes last."""
    order = [one["name"] for one in data["indicators"]]
    profile = {"indicators": ["profile"]}

    def named(kind: Reply) -> list[str]:
        names: list[str] = (profile if kind["name"].startswith(ATTRIBUTE) else kind)["indicators"]
        return names

    def place(kind: Reply) -> int:
        return min((order.index(name) for name in named(kind) if name in order), default=len(order))

    for kind in sorted(data["kinds"], key=place):
        yield _plain(", ".join(named(kind))), kind


def _horizons(horizons: Sequence[Reply], language: str, *, wide: bool) -> Table:
    both = len({one["type"] for one in horizons}) > 1
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
    for one in horizons:
        if not one["fits"]:
            continue
        spread = f" [dim]({one['base_rate_lowest']:.0%}–{one['base_rate_highest']:.0%})[/dim]"
        roles = "/".join(str(one[role]["dates"]) for role in ("fit", "calibrate", "test"))
        dates, first = one["labelled"]["dates"], one["labelled"]["first"]
        table.add_row(
            *([in_language(language, *types[one["type"]])] if both else []),
            f"{one['horizon_days']}{'*' if one['configured'] else ''}",
            str(one["active_days"]) if one["type"] == "inactivity" else "–",
            f"{one['cohort']:,}",
            percent(one["base_rate"]) + (spread if wide else ""),
            "–" if one["came_back"] is None else f"{one['came_back']:.0%}",
            "→".join(f"{f['recency_auc']:.2f}" for f in one["foresight"]) or "–",
            f"{dates} ({first}–)" if wide else str(dates),
            roles if one["evidence"] == "normal" else in_language(language, "low evidence", "根拠は限定的"),
        )
    watched = max((one["came_back_within_days"] or 0 for one in horizons if one["fits"]), default=0)
    notes = []
    if any(one["configured"] and one["fits"] for one in horizons):
        notes.append(in_language(language, "* what [churn] says now", "* 現在の [churn] の設定"))
    if watched:
        notes.append(
            in_language(
                language,
                f"came back: of those called gone, within {watched} days after",
                f"復帰率：離反とみなした顧客のうち、その後{watched}日以内に戻った割合",
            )
        )
    if any(one["foresight"] for one in horizons if one["fits"]):
        notes.append(
            in_language(
                language,
                "AUC: of plain recency, asked 0, half and whole horizons ahead",
                "AUC：最後の行動からの日数だけによる順位付け（当日 → 期間の半分前 → 期間分前）",
            )
        )
    table.caption = _plain("\n".join(notes)) or None
    table.caption_justify = "left"
    return table


def _too_long(answer: Reply, language: str) -> Iterable[str]:
    """Horizons that the record cannot decide."""
    unfit = [one for one in answer["horizons"] if not one["fits"]]
    have = int(answer["data"]["days"])
    pairs = ", ".join(f"{one['horizon_days']} ({one['needed_days']})" for one in unfit)
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
