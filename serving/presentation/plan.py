"""The list with actions as people read it: a table, a CSV that opens right in a spreadsheet, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape

from features.catalog.display_names import in_language, is_japanese
from serving.actions.plan_file import StoredPlan
from serving.actions.plan_text import entries
from serving.lists.score_reader import ScoreReader
from serving.presentation.lists import (
    BOM,
    add_action,
    add_hooks,
    grid_of_two,
    harmless,
    money,
    percent,
    tier_name,
)
from serving.schemas.terms import OUTCOME_WORDS, OUTCOMES

if TYPE_CHECKING:
    from rich.table import Table

Reply = dict[str, Any]

COLUMNS = (
    ("rank", "順位"),
    ("customer_id", "顧客ID"),
    ("churn_probability", "離反確率"),
    ("value_at_risk", "リスク金額"),
    ("tier", "エンゲージメント"),
    ("stage", "ステージ"),
    ("attitude", "評価"),
    ("rule", "適用ルール"),
    ("touch", "タッチモデル"),
    ("action", "アクション"),
    ("channel", "チャネル"),
    ("owner", "担当"),
    ("deadline", "期限"),
    ("left_out_because", "見送りの理由"),
    ("reason", "主な理由"),
    ("hook_1", "話題1"),
    ("hook_2", "話題2"),
    ("hook_3", "話題3"),
    ("loyalty", "会員ランク"),
    ("purchases_to_next", "次ランクまでの購買回数"),
    ("amount_to_next", "次ランクまでの金額"),
    ("loyalty_lasts_until", "ランク維持期限"),
)


def reply(
    kept: StoredPlan, replies: ScoreReader, rows: NDArray[np.int64], limit: int, language: str
) -> Reply:
    """The first customers of these rows with their scores, actions and hooks, and how all of them fare."""
    shown = rows[:limit]
    said = entries(kept, shown, language)
    names = replies.customers.names(kept.keys[shown]).to_pylist()
    scored = replies.scored(names, language)
    places = kept.places(shown)
    customers = [
        {"rank": place + 1} | score | plan for place, score, plan in zip(places, scored, said, strict=True)
    ]
    counts = Counter(np.asarray(kept.table.column("outcome"))[rows].tolist())
    return replies.source() | {
        "customers": customers,
        "matching": len(rows),
        "outcomes": {OUTCOMES[number]: count for number, count in sorted(counts.items())},
    }


def as_json(answer: Reply) -> str:
    return json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(answer: Reply, language: str) -> str:
    """A heading and one line per customer."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([in_language(language, name, japanese) for name, japanese in COLUMNS])
    for customer in answer["customers"]:
        loyalty = customer["hooks"]["loyalty"] or {}
        cells = [
            customer["rank"],
            customer["customer_id"],
            customer["churn_probability"],
            customer["value_at_risk"],
            tier_name(customer["tier"], language),
            customer["stage_words"],
            customer["attitude_words"],
            customer["rule"],
            customer["touch_words"],
            customer["action_words"],
            customer["action_channel_words"],
            customer["owner"],
            customer["deadline"],
            customer["left_out_because"],
            customer["reasons"][0]["sentence"] if customer["reasons"] else "",
            *[*customer["hook_sentences"], "", "", ""][:3],
            *(
                loyalty.get(name)
                for name in ("level_words", "purchases_to_next", "amount_to_next", "lasts_until")
            ),
        ]
        writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])
    return BOM + text.getvalue()


def show(answer: Reply, language: str) -> None:
    """Print the list: each customer on a line, what to do and what to take up below."""
    from rich.console import Console
    from rich.padding import Padding

    japanese, console = is_japanese(language), Console(highlight=False)
    outcomes = "、" if japanese else ", "
    counted = outcomes.join(
        f"{OUTCOME_WORDS[name][japanese]} {count:,}" for name, count in answer["outcomes"].items()
    )
    head = f"{answer['as_of']}時点のプラン" if japanese else f"Plan as of {answer['as_of']}"
    console.print(f"[bold]{head}[/bold]  ·  {counted}")
    for customer in answer["customers"]:
        console.print(_head(customer, language))
        console.print(Padding(_body(customer), (0, 0, 0, 4)))


def show_plan(customer: Reply, language: str) -> None:
    """Print what the plan says of an explained customer; nothing where there is no plan."""
    from rich.console import Console
    from rich.padding import Padding

    if customer.get("plan"):
        console = Console(highlight=False)
        console.print(f"\n[bold]{in_language(language, 'What to do', '次のアクション')}[/bold]")
        console.print(Padding(_body({**customer["plan"], "reasons": []}), (0, 0, 0, 4)))


def _head(customer: Reply, language: str) -> str:
    stake = "" if customer["value_at_risk"] is None else f"  {money(customer['value_at_risk'])}"
    where = (
        f"{tier_name(customer['tier'], language)} · {customer['stage_words']} · {customer['attitude_words']}"
    )
    return (
        f"[dim]{customer['rank']:>3}[/dim] [bold]{escape(customer['customer_id'])}  "
        f"{percent(customer['churn_probability'])}[/bold]{stake}  {escape(where)}"
    )


def _body(customer: Reply) -> Table:
    """What to do, why not, and what to take up, each behind its mark."""
    grid = grid_of_two()
    add_action(grid, customer)
    for reason in customer["reasons"][:1]:
        grid.add_row("[red]▲[/red]", escape(reason["sentence"]))
    add_hooks(grid, customer)
    return grid
