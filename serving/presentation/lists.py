"""The list as people read it: a table on the terminal, a CSV that opens right in Excel, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from features.catalog.display_names import in_language, kind_words
from training.explanation.text import tier_words

if TYPE_CHECKING:
    from rich.padding import Padding
    from rich.table import Table

Reply = Mapping[str, Any]
Column = tuple[str, Callable[[Reply], str]]
"""The heading of a further column, and what it says of a customer."""

HEADERS = {
    "rank": ("#", "順位"),
    "customer_id": ("Customer", "顧客"),
    "churn_probability": ("Risk", "離反確率"),
    "tier": ("Engagement", "エンゲージメント"),
    "predicted_tier": ("Next", "次期予測"),
    "expected_value": ("Expected", "期待購買額"),
    "value_at_risk": ("At stake", "リスク金額"),
    "reasons": ("Why", "理由"),
}
CSV_COLUMNS = (
    ("rank", "順位"),
    ("customer_id", "顧客ID"),
    ("churn_probability", "離反確率"),
    ("tier", "エンゲージメント"),
    ("predicted_tier", "次期予測"),
    ("expected_value", "期待購買額"),
    ("value_at_risk", "リスク金額"),
    ("reason_1", "理由1"),
    ("reason_2", "理由2"),
    ("reason_3", "理由3"),
)
STATUSES = {
    "cohort": ("can still leave", "離反の可能性あり"),
    "lapsed": ("already left", "離反済み"),
    "new": ("new: not active yet", "新規（まだ活動なし）"),
}
NARROW = 110
"""Columns of a terminal below which the reasons move under their customer."""

BOM = "\ufeff"


def word(language: str, english: str, japanese: str) -> str:
    return in_language(language, english, japanese)


def tier_name(tier: str | None, language: str) -> str:
    """A tier as people call it; names of one's own stay as they are."""
    return "" if tier is None else tier_words(tier, language)


def as_json(reply: Reply) -> str:
    return json.dumps(reply, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(reply: Reply, language: str, more: Sequence[Column] = ()) -> str:
    return "".join(csv_lines(reply["customers"], language, more))


def csv_lines(customers: Iterable[Reply], language: str, more: Sequence[Column] = ()) -> Iterator[str]:
    """A heading and one line per customer, with the mark by which Excel knows UTF-8."""
    headings = [word(language, name, japanese) for name, japanese in CSV_COLUMNS]
    yield BOM + _csv_line([*headings, *(heading for heading, _ in more)])
    for customer in customers:
        sentences = [reason["sentence"] for reason in customer["reasons"]]
        tiers = [tier_name(customer[name], language) for name in ("tier", "predicted_tier")]
        yield _csv_line(
            [
                customer["rank"],
                harmless(customer["customer_id"]),
                customer["churn_probability"],
                *(harmless(tier) for tier in tiers),
                customer["expected_value"],
                customer["value_at_risk"],
                *(harmless(sentence) for sentence in (*sentences, "", "", "")[:3]),
                *(harmless(said(customer)) for _, said in more),
            ]
        )


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def harmless(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def money(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"


def percent(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.1%}"


def show(reply: Reply, language: str) -> None:
    """Print the list as a table; on a narrow terminal the reasons stand under their customer."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_title(reply, language), style="bold")
    if console.width >= NARROW:
        console.print(_table(reply["customers"], language))
        return
    console.print(_legend(reply["customers"], language), style="dim")
    for customer in reply["customers"]:
        console.print(_head(customer, language))
        console.print(_indented(_why(customer["reasons"], language, customer["plan"])))


def _table(customers: Sequence[Reply], language: str) -> Table:
    from rich import box
    from rich.table import Table

    def header(name: str) -> str:
        return word(language, *HEADERS[name])

    amounts = any(customer["value_at_risk"] is not None for customer in customers)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(header("rank"), justify="right", style="dim")
    table.add_column(header("customer_id"), overflow="fold")
    table.add_column(header("churn_probability"), justify="right", style="bold", no_wrap=True)
    table.add_column(f"{header('tier')} → {header('predicted_tier')}", overflow="fold")
    if amounts:
        table.add_column(header("value_at_risk"), justify="right", no_wrap=True)
    table.add_column(header("reasons"), ratio=1, overflow="fold")
    for customer in customers:
        table.add_row(
            str(customer["rank"]),
            _escaped(customer["customer_id"]),
            percent(customer["churn_probability"]),
            _escaped(_tiers(customer, language)),
            *([money(customer["value_at_risk"])] if amounts else []),
            _why(customer["reasons"], language, customer["plan"]),
        )
    return table


def _legend(customers: Sequence[Reply], language: str) -> str:
    """What the places of `_head` mean."""
    amounts = any(customer["value_at_risk"] is not None for customer in customers)
    names = ["rank", "customer_id", "churn_probability", *(["value_at_risk"] if amounts else [])]
    words = [word(language, *HEADERS[name]) for name in names]
    tiers = (word(language, *HEADERS[name]) for name in ("tier", "predicted_tier"))
    return "  ".join([*words, " → ".join(tiers)])


def _head(customer: Reply, language: str) -> str:
    """One customer on a line, for narrow terminals."""
    stake = "" if customer["value_at_risk"] is None else f"  {money(customer['value_at_risk'])}"
    return (
        f"[dim]{customer['rank']:>3}[/dim] [bold]{_escaped(customer['customer_id'])}  "
        f"{percent(customer['churn_probability'])}[/bold]{stake}  {_escaped(_tiers(customer, language))}"
    )


def grid_of_two() -> Table:
    """A mark, and what it marks."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _why(reasons: Sequence[Reply], language: str, plan: Reply | None = None) -> Table:
    """Reasons or changes, each behind the arrow that says which way it pushes; then what to do."""
    grid = grid_of_two()
    for reason in reasons:
        raises = reason["direction"].startswith("raise")
        grid.add_row("[red]▲[/red]" if raises else "[green]▼[/green]", _escaped(reason["sentence"]))
        for line in _behind(reason, language):
            grid.add_row("", f"[dim]{_escaped(line)}[/dim]")
    if plan is not None:
        add_action(grid, plan)
        add_hooks(grid, plan)
    return grid


def add_action(grid: Table, plan: Reply) -> None:
    """What the plan has in mind for a customer, or why it has nothing."""
    if plan["action"] is not None:
        names = ("stage_words", "touch_words", "action_channel_words", "owner", "deadline", "rule")
        how = " · ".join(plan[name] for name in names if plan[name])
        grid.add_row("[green]→[/green]", f"{_escaped(plan['action_words'])} [dim]({_escaped(how)})[/dim]")
    if plan["left_out_because"] is not None:
        grid.add_row("[yellow]✕[/yellow]", f"[yellow]{_escaped(plan['left_out_because'])}[/yellow]")


def add_hooks(grid: Table, plan: Reply) -> None:
    """What to take up with a customer."""
    for sentence in plan["hook_sentences"]:
        grid.add_row("[dim]·[/dim]", f"[dim]{_escaped(sentence)}[/dim]")


def _behind(reason: Reply, language: str) -> Iterator[str]:
    """What cannot be changed is said so; of a change, the events behind it."""
    if not reason["actionable"]:
        yield word(language, "(nothing that can be acted on)", "（働きかけでは変えられません）")
    roles = {"entered": ("new", "新規"), "left": ("no longer counted", "期間外"), "last": ("last", "最終")}
    for role, words in roles.items():
        events = [event for event in reason.get("events", ()) if event["role"] == role]
        if events:
            count = reason.get(role, len(events))
            more = f" … {count:,}" if count > len(events) else ""
            yield (
                f"{word(language, *words)}: " + ", ".join(_event(event, language) for event in events) + more
            )


def _event(event: Reply, language: str) -> str:
    words = kind_words(event["kind"])
    detail = "" if event["detail"] is None else f" {event['detail']}"
    value = "" if event["value"] is None else f" {event['value']:,.4g}"
    return f"{event['occurred_at'][:10]} {in_language(language, words.one, words.ja)}{detail}{value}"


def _indented(content: Table) -> Padding:
    from rich.padding import Padding

    return Padding(content, (0, 0, 0, 4))


def _tiers(customer: Reply, language: str) -> str:
    return " → ".join(tier_name(customer[name], language) for name in ("tier", "predicted_tier"))


def show_explanation(reply: Reply, language: str) -> None:
    """Print one customer: who they are, the risk, why, and what changed."""
    from rich.console import Console

    console, customer = Console(highlight=False), reply["customer"]
    status = word(language, *STATUSES[customer["status"]])
    console.print(f"[bold]{_escaped(customer['customer_id'])}[/bold]  {status}")
    console.print(_facts(reply, language), style="dim")
    for name, text in _figures(customer, language):
        console.print(f"  {name}: [bold]{_escaped(text)}[/bold]")
    if customer["reasons"]:
        console.print(f"\n[bold]{word(language, 'Why', '理由')}[/bold]")
        console.print(_indented(_why(customer["reasons"], language)))
    console.print(f"\n[bold]{word(language, 'What changed', '前回からの変化')}[/bold]")
    console.print(f"  {_escaped(_since(reply, language))}")
    console.print(_indented(_why(reply["changes"], language)))


def _figures(customer: Reply, language: str) -> Iterable[tuple[str, str]]:
    engagement = word(language, "Engagement", "エンゲージメント")
    if customer["churn_probability"] is None:
        yield engagement, tier_name(customer["tier"], language)
        return
    yield word(language, "Risk of leaving", "離反確率"), percent(customer["churn_probability"])
    yield engagement, _tiers(customer, language)
    if customer["value_at_risk"] is not None:
        spend = word(language, "Would spend if they stayed", "継続時の期待購買額")
        yield spend, money(customer["expected_value"])
        yield word(language, "Value at risk", "リスク金額"), money(customer["value_at_risk"])


def _since(reply: Reply, language: str) -> str:
    before, customer = reply["previous"], reply["customer"]
    if before is None:
        return word(
            language,
            "There are no earlier scores of this customer to compare with yet.",
            "比較できる過去のスコアはまだありません。",
        )
    day = before["as_of"]
    if before["churn_probability"] is None or customer["churn_probability"] is None:
        old, new = (word(language, *STATUSES[status]) for status in (before["status"], customer["status"]))
        if old == new:
            return word(language, f"The same as on {day}.", f"{day}から変わっていません。")
        return word(language, f"On {day}: {old}. Now: {new}.", f"{day}時点：{old}。現在：{new}。")
    old, new = percent(before["churn_probability"]), percent(customer["churn_probability"])
    return word(
        language,
        f"Since {day} the risk went from {old} to {new}.",
        f"{day}から離反確率は{old}から{new}に変わりました。",
    )


def _title(reply: Reply, language: str) -> str:
    count = len(reply["customers"])
    head = word(language, f"{count:,} customers to approach", f"優先的に対応すべき顧客 {count:,}名")
    return f"{head}  ·  {_facts(reply, language)}"


def _facts(reply: Reply, language: str) -> str:
    low = word(language, ", low evidence", "、根拠は限定的") if reply["evidence"] == "low" else ""
    return word(
        language,
        f"as of {reply['as_of']}, model {reply['model_version']}{low}",
        f"{reply['as_of']}時点、モデル{reply['model_version']}{low}",
    )


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
