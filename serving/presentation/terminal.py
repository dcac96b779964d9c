"""The list and one explained customer on a terminal: a table, or lines where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language, kind_words
from serving.presentation.columns import COLUMNS, NARROW_TERMINAL, TERMINAL, ListRow, TerminalStyle
from serving.presentation.i18n import (
    STATUS_WORDS,
    amount_range,
    lifetime_text,
    money,
    percent,
    tier_or_empty,
)
from serving.schemas.change_responses import Change, ChangeEvent
from serving.schemas.expected_leavers import expected_leavers_words
from serving.schemas.lifetime_words import lifetime_words, range_words, shows_value
from serving.schemas.plan_responses import PlannedAction
from serving.schemas.responses import (
    ExplainReply,
    ListReply,
    PlannedCustomer,
    Provenance,
    Reason,
)

if TYPE_CHECKING:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

NARROW = 110
"""Columns of a terminal below which the reasons move under their customer."""

ROLES = {"entered": ("new", "新規"), "left": ("no longer counted", "期間外"), "last": ("last", "最終")}


def show(answer: ListReply, language: str) -> None:
    """Print the list as a table; on a narrow terminal the reasons stand under their customer."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(wrapped(_title(answer, language)), style="bold")
    rows = [
        ListRow(customer, customer.plan, language, answer.currency, answer.uplift)
        for customer in answer.customers
    ]
    if console.width >= NARROW:
        console.print(_table(rows, language))
        return
    styles = _styles(NARROW_TERMINAL, rows)
    console.print("  ".join(in_language(language, *style.heading) for style in styles), style="dim")
    for row in rows:
        console.print(_head(row, styles))
        console.print(_indented(_why(row, row.reasons)))


def _styles(names: Sequence[str], rows: Sequence[ListRow]) -> list[TerminalStyle]:
    """How these columns look; an optional one without any value is left out."""
    columns = [COLUMNS[name] for name in names]
    return [
        column.terminal
        for column in columns
        if column.terminal
        and not (column.terminal.optional and all(column.cell(row) is None for row in rows))
    ]


def _table(rows: Sequence[ListRow], language: str) -> Table:
    from rich import box
    from rich.table import Table

    styles = _styles(TERMINAL, rows)
    table = Table(box=box.SIMPLE_HEAD)
    for style in styles:
        table.add_column(
            in_language(language, *style.heading),
            justify=style.justify,
            style=style.style,
            no_wrap=not style.wraps,
            overflow="fold" if style.wraps else "ellipsis",
        )
    table.add_column(in_language(language, "Why", "理由"), ratio=1, overflow="fold")
    for row in rows:
        cells = [escaped(style.text(row)) for style in styles]
        table.add_row(*cells, _why(row, row.reasons))
    return table


def _head(row: ListRow, styles: Sequence[TerminalStyle]) -> str:
    """One customer on a line, for narrow terminals."""
    rank, customer, risk, *others = (escaped(style.text(row)) for style in styles)
    return "  ".join([f"[dim]{rank:>3}[/dim] [bold]{customer}  {risk}[/bold]", *others])


def grid_of_two() -> Table:
    """A table of two columns: a mark, and what it marks."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _why(row: ListRow, reasons: Sequence[Reason]) -> Table:
    """The reasons of a customer of the list, then what to do and to take up."""
    grid = grid_of_two()
    add_reasons(grid, reasons, row.language)
    if row.plan is not None:
        add_action(grid, row.plan)
        add_hooks(grid, row.plan)
    elif row.customer.left_out_because is not None:
        add_left_out(grid, row.customer.left_out_because)
    return grid


def add_reasons(grid: Table, reasons: Sequence[Reason | Change], language: str) -> None:
    """Reasons or changes, each behind the arrow that says which way it pushes the risk."""
    for reason in reasons:
        raises = reason.direction in ("raises", "raised")
        mark = "[red]▲[/red]" if raises else "[green]▼[/green]"
        grid.add_row(mark, wrapped(escaped(reason.sentence)))
        for line in _behind(reason, language):
            grid.add_row("", wrapped(f"[dim]{escaped(line)}[/dim]"))


def add_action(grid: Table, plan: PlannedAction) -> None:
    """What the plan has in mind for a customer, or why it has nothing."""
    if plan.action is not None:
        parts = (
            plan.stage_words,
            plan.touch_words,
            plan.action_channel_words,
            plan.owner,
            plan.deadline,
            plan.rule_words,
        )
        how = " · ".join(part for part in parts if part)
        action = f"{escaped(plan.action_words or '')} [dim]({escaped(how)})[/dim]"
        grid.add_row("[green]→[/green]", wrapped(action))
    if plan.left_out_because is not None:
        add_left_out(grid, plan.left_out_because)


def add_left_out(grid: Table, why: str) -> None:
    """Why a customer must be left alone."""
    grid.add_row("[yellow]✕[/yellow]", wrapped(f"[yellow]{escaped(why)}[/yellow]"))


def add_hooks(grid: Table, plan: PlannedAction) -> None:
    """What to take up with a customer."""
    for sentence in plan.hook_sentences:
        grid.add_row("[dim]·[/dim]", wrapped(f"[dim]{escaped(sentence)}[/dim]"))


def _behind(reason: Reason | Change, language: str) -> Iterator[str]:
    """That a reason cannot be changed, where it cannot; of a change, the events behind it."""
    if not reason.actionable:
        yield in_language(language, "(nothing that can be acted on)", "（働きかけでは変えられません）")
    if isinstance(reason, Reason):
        return
    counts = {"entered": reason.entered, "left": reason.left}
    for role, words in ROLES.items():
        events = [event for event in reason.events if event.role == role]
        if events:
            count = counts.get(role, len(events))
            more = f" … {count:,}" if count > len(events) else ""
            shown = ", ".join(_event(event, language) for event in events)
            yield f"{in_language(language, *words)}: {shown}{more}"


def _event(event: ChangeEvent, language: str) -> str:
    words = kind_words(event.kind)
    detail = "" if event.detail is None else f" {event.detail}"
    value = "" if event.value is None else f" {event.value:,.4g}"
    return f"{event.occurred_at[:10]} {in_language(language, words.one, words.ja)}{detail}{value}"


def _indented(content: Table) -> Padding:
    from rich.padding import Padding

    return Padding(content, (0, 0, 0, 4))


def show_explanation(answer: ExplainReply, language: str) -> None:
    """Print one customer: status, risk, reasons, what changed, and what the plan has in mind."""
    from rich.console import Console

    console, customer = Console(highlight=False), answer.customer
    status = in_language(language, *STATUS_WORDS[customer.status])
    console.print(f"[bold]{escaped(customer.customer_id)}[/bold]  {status}")
    console.print(_source(answer, language), style="dim")
    for name, text in _figures(customer, answer.currency, language):
        console.print(f"  {name}: [bold]{escaped(text)}[/bold]")
    if customer.reasons:
        console.print(f"\n[bold]{in_language(language, 'Why', '理由')}[/bold]")
        why = grid_of_two()
        add_reasons(why, customer.reasons, language)
        console.print(_indented(why))
    console.print(f"\n[bold]{in_language(language, 'What changed', '前回からの変化')}[/bold]")
    console.print(wrapped(f"  {escaped(_since(answer, language))}"))
    changes = grid_of_two()
    add_reasons(changes, answer.changes, language)
    console.print(_indented(changes))
    if customer.plan is not None:
        console.print(f"\n[bold]{in_language(language, 'What to do', '次のアクション')}[/bold]")
        plan = grid_of_two()
        add_action(plan, customer.plan)
        add_hooks(plan, customer.plan)
        console.print(_indented(plan))


def _figures(customer: PlannedCustomer, currency: str | None, language: str) -> Iterable[tuple[str, str]]:
    engagement = in_language(language, "Engagement", "エンゲージメント")
    if customer.churn_probability is None:
        yield engagement, tier_or_empty(customer.tier, language)
        yield from _lifetime_figures(customer, currency, language)
        return
    yield in_language(language, "Risk of leaving", "離反確率"), percent(customer.churn_probability)
    tiers = (tier_or_empty(tier, language) for tier in (customer.tier, customer.predicted_tier))
    yield engagement, " → ".join(tiers)
    if customer.value_at_risk is not None:
        spend = in_language(language, "Would spend if they stayed", "継続時の期待購買額")
        yield spend, money(customer.expected_value, currency, language)
        at_risk = money(customer.value_at_risk, currency, language)
        yield in_language(language, "Value at risk", "リスク金額"), at_risk
    yield from _lifetime_figures(customer, currency, language)


def _lifetime_figures(
    customer: PlannedCustomer, currency: str | None, language: str
) -> Iterable[tuple[str, str]]:
    """The lifetime value over each number of months, with its interval and whether its level is known."""
    for one in customer.lifetime_value:
        text = lifetime_text(one, currency, language)
        name = range_words(customer.status, language)
        if not shows_value(one.evidence):
            text += in_language(language, f" ({name}, low evidence)", f"（{name}、根拠は限定的）")
        elif one.low is not None:
            interval = amount_range(one.low, one.high, currency, language)
            text += in_language(language, f" ({name}: {interval})", f"（{name}：{interval}）")
        yield lifetime_words(one.months, "", language), text


def _since(answer: ExplainReply, language: str) -> str:
    before, customer = answer.previous, answer.customer
    if before is None:
        return in_language(
            language,
            "There are no earlier scores of this customer to compare with yet.",
            "比較できる過去のスコアはまだありません。",
        )
    day = before.as_of
    if before.churn_probability is None or customer.churn_probability is None:
        old, new = (
            in_language(language, *STATUS_WORDS[status]) for status in (before.status, customer.status)
        )
        if old == new:
            return in_language(language, f"The same as on {day}.", f"{day}から変わっていません。")
        return in_language(language, f"On {day}: {old}. Now: {new}.", f"{day}時点：{old}。現在：{new}。")
    old, new = percent(before.churn_probability), percent(customer.churn_probability)
    return in_language(
        language,
        f"Since {day} the risk went from {old} to {new}.",
        f"{day}から離反確率は{old}から{new}に変わりました。",
    )


def _title(answer: ListReply, language: str) -> str:
    count = len(answer.customers)
    head = in_language(language, f"{count:,} customers to approach", f"優先的に対応すべき顧客 {count:,}名")
    title = f"{head}  ·  {_source(answer, language)}"
    leavers = answer.expected_leavers
    return title if leavers is None else f"{title}\n{expected_leavers_words(leavers, language)}"


def _source(answer: Provenance, language: str) -> str:
    low = in_language(language, ", low evidence", "、根拠は限定的") if answer.evidence == "low" else ""
    return in_language(
        language,
        f"as of {answer.as_of}, model {answer.model_version}{low}",
        f"{answer.as_of}時点、モデル{answer.model_version}{low}",
    )


def wrapped(markup: str) -> Text:
    """Rich's markup as a text; one with Japanese breaks its lines by the rules of Japanese."""
    from serving.presentation.wrapping import wrapped_text

    return wrapped_text(markup)


def escaped(text: str) -> str:
    """The text with its square brackets as text, not as rich's markup."""
    from rich.markup import escape

    return escape(text)
