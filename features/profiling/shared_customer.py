"""The check for one customer who has a large share of all events."""

from __future__ import annotations

from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile


def shared_customer(profile: DataProfile) -> CheckFinding | None:
    """A twentieth of all events or more under one id, among fifty customers or more."""
    share = profile.busiest_events / profile.events
    if profile.customers < 50 or profile.events < 100 or share < 0.05:
        return None
    return CheckFinding(
        "shared_customer",
        f"{share:.0%} of all events belong to one customer, '{profile.busiest}': is that a guest or "
        "test account? Leave it out of the query.",
        f"全イベントの{share:.0%}が1名の顧客「{profile.busiest}」のものです。ゲスト用や試験用の"
        "アカウントなら取込クエリで除いてください。",
        {"customer_id": profile.busiest, "events": profile.busiest_events, "share": share},
    )
