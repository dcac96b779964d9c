"""Checks of event ids and of rows that take others back: repeated ids, negative purchases, cancellations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from features.events.schema import ATTRIBUTE, REFUND
from features.ingestion.identity.conflicts import NEGATIVE
from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile
from features.profiling.scale_remedies import REPLACED, quoted

SHOWN = 5
"""Kinds named one by one."""
_TAKES_BACK = re.compile(
    r"取消|取り消し|キャンセル|返品|返金|赤伝|cancel|refund|return|void|chargeback", re.IGNORECASE
)


def event_id_findings(profile: DataProfile) -> Iterator[CheckFinding]:
    """Event ids that came in several rows of one ingest, by source."""
    for source, ids in sorted(profile.several_rows.items()):
        yield CheckFinding(
            "several_rows",
            f"{ids:,} event id{'' if ids == 1 else 's'} of source '{source}' came in several rows of its "
            "newest ingest: the row that says most counts, and rows that contradict each other are in "
            "quarantine. Is it the id of an order with several lines? Then group the lines in the query.",
            f"ソース「{source}」の直近の取込で、{ids:,}件の event_id に複数の行がありました。最も多くの項目を"
            "持つ行が使われ、矛盾する行は隔離されています。明細行のある注文番号であれば、取込クエリで1件に"
            "まとめてください。",
            {"source": source, "ids": ids},
        )


def refund_findings(profile: DataProfile) -> Iterator[CheckFinding]:
    """Purchases with a negative amount, and kinds that seem to take purchases back without being refunds."""
    for kind in profile.kinds:
        if kind.negative and kind.name != REFUND and "purchase" in kind.indicators:
            condition = f"kind = '{quoted(kind.name)}' and {NEGATIVE}"
            query = REPLACED.format(f"case when {condition} then '{REFUND}' else kind end as kind")
            yield CheckFinding(
                "negative_purchases",
                f"{kind.negative:,} of {kind.valued:,} rows of kind '{kind.name}' have a negative value: "
                f"write the kind '{REFUND}' for them around the query, `{query}`, with an event_id of their "
                "own where they share that of the order; then run `kizuna ingest --replace SOURCE`.",
                f"種別「{kind.name}」の{kind.valued:,}行のうち{kind.negative:,}行の金額が負の数です。"
                f"取消・返品であれば、クエリを `{query}` で囲んで種別を「{REFUND}」とし"
                f"（注文と同じ event_id なら event_id も別に）、"
                "`kizuna ingest --replace SOURCE` を実行してください。",
                {"kind": kind.name, "rows": kind.negative, "valued": kind.valued},
            )
    unnamed = [
        kind
        for kind in profile.kinds
        if not kind.indicators and not kind.name.startswith(ATTRIBUTE) and _TAKES_BACK.search(kind.name)
    ]
    if unnamed:
        names = ", ".join(f"'{kind.name}' ({kind.events:,})" for kind in unnamed[:SHOWN])
        yield CheckFinding(
            "cancellations",
            f"The kinds {names} seem to take purchases back, and no indicator names them. If so, write the "
            f"kind '{REFUND}' with a negative value and an event_id of their own.",
            f"種別 {names} は取消・返品のようですが、どの指標にも属していません。取消であれば種別を"
            f"「{REFUND}」、金額を負の数とし、event_id も別にしてください。",
            {"kinds": {kind.name: kind.events for kind in unnamed}},
        )
