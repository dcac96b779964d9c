"""The list with actions, as `kizuna plan` answers it and as people read it on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.catalog.display_names import in_language, is_japanese
from serving.actions.capacity_use import capacity_use
from serving.actions.contact_state import ContactState
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_text import planned_actions
from serving.lists.score_reader import ScoreReader
from serving.lists.uplift_reason import UPLIFT, risk_reasons
from serving.presentation.i18n import money, percent, tier_or_empty
from serving.presentation.rule_words import capacity_lines
from serving.presentation.terminal import add_action, add_hooks, add_reasons, escaped, grid_of_two, wrapped
from serving.schemas.responses import PlanEntry, PlanReply, UnclearConsent
from serving.schemas.terms import OUTCOME_WORDS, OUTCOMES

if TYPE_CHECKING:
    from rich.table import Table


def plan_reply(
    plan: StoredPlan,
    reader: ScoreReader,
    rows: NDArray[np.int64],
    limit: int,
    language: str,
    contacts: ContactState,
) -> PlanReply:
    """The first customers of these rows with their scores, actions and hooks, and all outcomes."""
    shown = rows[:limit]
    names = reader.customers.names(plan.keys[shown]).to_pylist()
    scored = reader.scored(names, language)
    actions = planned_actions(plan, shown, language)
    places = plan.places(shown)
    refused = contacts.refused_channels(plan.keys[shown])
    counts = Counter(np.asarray(plan.table.column("outcome"))[rows].tolist())
    return PlanReply(
        **vars(reader.provenance),
        customers=[
            PlanEntry(place + 1, **vars(score), **vars(action), refused_channels=list(channels))
            for place, score, action, channels in zip(places, scored, actions, refused, strict=True)
        ],
        matching=len(rows),
        outcomes={OUTCOMES[number]: count for number, count in sorted(counts.items())},
        unclear_consent=[
            *(
                UnclearConsent(attribute, word, count)
                for (attribute, word), count in sorted(contacts.unclear.items())
            ),
            *(
                UnclearConsent(attribute, None, count)
                for attribute, count in sorted(contacts.contradictions.items())
            ),
        ],
        touch_models=list(capacity_use(plan, language)),
    )


def consent_lines(answer: PlanReply, language: str) -> list[str]:
    """One line for each word of consent that cannot be read."""
    lines = []
    for one in answer.unclear_consent:
        says = in_language(language, "yes and no at once", "「はい」と「いいえ」の両方")
        word = says if one.word is None else in_language(language, f"'{one.word}'", f"「{one.word}」")
        lines.append(
            in_language(
                language,
                f"`{one.attribute}` says {word} for {one.customers:,} customers: neither a clear yes nor a "
                "clear no, so they are not contacted.",
                f"`{one.attribute}` の値が{word}の顧客が{one.customers:,}名います。"
                "可否が読み取れないため連絡しません。",
            )
        )
    return lines


def plan_heading(answer: PlanReply, language: str) -> tuple[str, str]:
    """The date of a plan, and how many customers have each outcome: planned, or why not."""
    japanese = is_japanese(language)
    counted = in_language(language, ", ", "、").join(
        f"{OUTCOME_WORDS[name][1]}{count:,}名" if japanese else f"{OUTCOME_WORDS[name][0]} {count:,}"
        for name, count in answer.outcomes.items()
    )
    return in_language(language, f"Plan as of {answer.as_of}", f"{answer.as_of}時点のプラン"), counted


def show(answer: PlanReply, language: str) -> None:
    """Print the list: each customer on a line, what to do and what to take up below."""
    from rich.console import Console
    from rich.padding import Padding

    console = Console(highlight=False)
    head, counted = plan_heading(answer, language)
    console.print(wrapped(f"[bold]{head}[/bold]  ·  {counted}"))
    for line in capacity_lines(answer.touch_models, language):
        console.print(wrapped(f"[dim]{escaped(line)}[/dim]"))
    for line in consent_lines(answer, language):
        console.print(wrapped(f"[yellow]{escaped(line)}[/yellow]"))
    for customer in answer.customers:
        console.print(_head(customer, answer.currency, language))
        console.print(Padding(_body(customer, language), (0, 0, 0, 4)))


def _head(customer: PlanEntry, currency: str | None, language: str) -> str:
    at_risk = customer.value_at_risk
    stake = "" if at_risk is None else f"  {money(at_risk, currency, language)}"
    where = " · ".join(
        (tier_or_empty(customer.tier, language), customer.stage_words, customer.attitude_words)
    )
    return (
        f"[dim]{customer.rank:>3}[/dim] [bold]{escaped(customer.customer_id)}  "
        f"{percent(customer.churn_probability)}[/bold]{stake}  {escaped(where)}"
    )


def _body(customer: PlanEntry, language: str) -> Table:
    """What to do or why not, the main reason, what contact did before, and what to take up, each behind its
    mark.
    """
    grid = grid_of_two()
    add_action(grid, customer)
    for reason in risk_reasons(customer.reasons)[:1]:
        grid.add_row("[red]▲[/red]", wrapped(escaped(reason.sentence)))
    add_reasons(grid, [reason for reason in customer.reasons if reason.feature == UPLIFT], language)
    add_hooks(grid, customer)
    return grid
