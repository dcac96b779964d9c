"""Checks of responses to messages: those of machines, and customers who do nothing but open."""

from __future__ import annotations

from collections.abc import Iterator

from features.profiling.bucket_events import is_opening
from features.profiling.customer_patterns import SILENT_DAYS
from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile
from features.profiling.rows.row_patterns import QUICK
from features.timeline import SECOND

FEW = 5
ANSWERS = (
    "select * from ( … ) as r where not exists (select 1 from ( … ) as s where s.customer_id = r.customer_id "
    "and cast(r.occurred_at as timestamp) - cast(s.occurred_at as timestamp) "
    "between interval 0 second and interval 10 second)"
)
"""What to write around a query of responses."""


def response_checks(profile: DataProfile) -> Iterator[CheckFinding]:
    """All findings about responses, the most harmful first."""
    yield from _machine_responses(profile)
    yield from _only_opens(profile)


def _machine_responses(profile: DataProfile) -> Iterator[CheckFinding]:
    """Responses within seconds of sending: mail scanners that follow every link."""
    rows = profile.by_row
    for kind, quick in rows.quick.most_common():
        share = quick / rows.responses[kind]
        if quick < FEW or share < 0.02:
            continue
        seconds = QUICK // SECOND
        yield CheckFinding(
            "machine_responses",
            f"{share:.1%} of the '{kind}' ({quick:,}) come within {seconds} seconds of sending: mail "
            f"scanners, not customers. Leave them out: `{ANSWERS}`, the second query being that of what was "
            "sent.",
            f"「{kind}」の{share:.1%}（{quick:,}件）は配信から{seconds}秒以内です。顧客ではなくメールの検査ソフト"
            f"によるものです。`{ANSWERS}` として除いてください（2つ目のクエリは配信のもの）。",
            {"kind": kind, "events": quick, "share": share, "seconds": seconds},
        )


def _only_opens(profile: DataProfile) -> Iterator[CheckFinding]:
    """Customers of whom nothing but opened messages was seen for months: mail programs open by themselves."""
    counts = profile.by_customer
    if counts.only_opens < FEW:
        return
    share = counts.only_opens / counts.openers
    counted = sorted({name for kind in profile.kinds if is_opening(kind.name) for name in kind.indicators})
    listed = ", ".join(f"[indicators.{name}]" for name in counted)
    english = (
        f"Take these kinds out of {listed}: they make them look active."
        if counted
        else ("No indicator counts these opens, which is right; leave these customers out of mailings.")
    )
    japanese = (
        f"{listed} の `kinds` から外してください。活動中に見えてしまいます。"
        if counted
        else (
            "開封はどの指標にも数えられておらず、そのままで問題ありません。配信の対象からは外してください。"
        )
    )
    yield CheckFinding(
        "only_opens",
        f"{counts.only_opens:,} customers ({share:.0%} of those who open messages) did nothing else in the "
        f"last {SILENT_DAYS} days: mail programs open messages by themselves. {english}",
        f"直近{SILENT_DAYS}日に開封以外の行動がない顧客が{counts.only_opens:,}名（開封した顧客の{share:.0%}）"
        f"います。開封はメールソフトが自動で行うことがあります。{japanese}",
        {"customers": counts.only_opens, "share": share, "days": SILENT_DAYS, "indicators": counted},
    )
