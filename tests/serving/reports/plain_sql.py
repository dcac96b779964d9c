"""Every measure again, in plain SQL over the simulated sources: written for reading, not for speed."""

from __future__ import annotations

from pathlib import Path

import duckdb

EVENTS = """
create table e as
with every as (
    select customer, happened_at as t, kind, amount as value, channel, store as place, category as detail
    from 'data/orders.parquet'
    union all select customer, happened_at, kind, minutes, channel, null, feature from 'data/usage.parquet'
    union all select customer, happened_at, kind, minutes, 'web', null, title from 'data/content.parquet'
    union all select customer, happened_at, kind, minutes, channel, agent, topic from 'data/tickets.parquet'
    union all select customer, happened_at, kind, score, null, null, touchpoint from 'data/surveys.parquet'
    union all select customer, happened_at, kind, reach, 'social', null, post from 'data/social.parquet'
    union all select customer, happened_at, kind, null, 'community', null, about from 'data/community.parquet'
    union all select customer, happened_at, kind, cost, channel, null, campaign from 'data/campaigns.parquet'
    union all
    select customer, happened_at, kind, amount, channel, null, campaign from 'data/responses.parquet'
    union all select customer, happened_at, kind, fee, null, null, plan from 'data/contracts.parquet'
)
select every.*, region, age_band from every join 'data/profiles.parquet' using (customer)
"""

USE = "kind in ('visit', 'feature_used')"
ASKED = "kind in ('ticket_opened', 'chat', 'call', 'complaint')"
SELF = "kind in ('article_read', 'faq_viewed', 'tutorial_watched', 'chatbot_asked')"
SENT = "kind in ('email_sent', 'push_sent', 'coupon_sent', 'call_made')"
BACK = "kind in ('email_clicked', 'coupon_redeemed')"
COMMUNITY = "kind in ('community_post', 'reply', 'event_attended')"
REACTED = "kind in ('like', 'comment', 'share')"
ACTIVE = f"not ({SENT}) and kind not in ('nps', 'csat', 'refund')"
IN = "t >= $a and t < $b"


def _there(edge: str) -> str:
    return f"""(select customer from (
        select customer, arg_max(kind, t) as latest from e
        where t < {edge} and kind in ('started', 'renewed', 'cancelled', 'completed') group by customer)
        where latest in ('started', 'renewed'))"""


def _worth(edge: str) -> str:
    contract = "kind in ('started', 'renewed', 'upgraded', 'downgraded', 'cancelled')"
    return f"""(select customer, arg_max(value, t) as worth from e
        where t < {edge} and {contract} group by customer)"""


def _per_event(value: str, where: str) -> str:
    return f"select {{g}} as g, {value}, count(*) from e where {IN} and {where} group by g"


def _per_customer(of_one: str, value: str, where: str) -> str:
    return f"""select g, {value}, count(*) from (
        select {{g}} as g, customer, {of_one} as n from e where {IN} and {where} group by g, customer)
        group by g"""


def _per_active(of_group: str, where: str) -> str:
    """By segment the active customers of the segment, otherwise all of them."""
    return f"""with done as (select {{g}} as g, {of_group} as n from e where {IN} and {where} group by g),
    active as (select {{base}} as g, count(distinct customer) as n from e where {IN} and {ACTIVE} group by g)
    select done.g, done.n / active.n, active.n from done join active on active.g = done.g or active.g = ''"""


def _standing(value: str) -> str:
    return f"""select {{g}} as g, {value}, count(*)
    from {_there("$a")} as s join {_worth("$a")} as w using (customer)
    left join (select customer, true as stays from {_there("$b")}) as s2 using (customer)
    join (select distinct customer, region, age_band from e) as p using (customer)
    left join (select distinct customer, true as up from e where {IN} and kind = 'upgraded') as u
    using (customer)
    group by g"""


MEASURES = {
    "active_customers": f"select {{g}} as g, count(distinct customer), count(distinct customer) from e "
    f"where {IN} and {ACTIVE} group by g",
    "nps": _per_event("100 * (avg((value >= 9)::int) - avg((value <= 6)::int))", "kind = 'nps'"),
    "csat": _per_event("avg((value >= 4)::int)", "kind = 'csat'"),
    "repeat_rate": _per_customer("count(*)", "avg((n >= 2)::int)", "kind = 'purchase'"),
    "retention_rate": _standing("avg((stays is not null)::int)"),
    "churn_rate": _standing("avg((stays is null)::int)"),
    "churned_value_rate": _standing("sum(worth * (stays is null)::int) / sum(worth)"),
    "upgrade_rate": _standing("avg((up is not null)::int)"),
    "active_days": _per_customer("count(distinct t::date)", "avg(n)", USE),
    "active_minutes": _per_customer("sum(value)", "avg(n)", USE),
    "feature_breadth": _per_customer("count(distinct detail)", "avg(n)", f"{USE} and detail is not null"),
    "inquiries_per_100": _per_active("100 * count(*)", ASKED),
    "answer_minutes": _per_event("avg(value)", f"{ASKED} and value is not null"),
    "answered_rate": _per_event("avg((coalesce(value, 1e9) <= 1440)::int)", ASKED),
    "self_service_rate": f"""select {{g}} as g, avg((helped is not null)::int), count(*) from
        (select *, row_number() over () as number from e where {IN} and {ASKED}) as i
        left join (select distinct number as helped from
            (select customer, t, row_number() over () as number from e where {IN} and {ASKED}) as i
            join (select customer, t as before from e where {SELF}) as s
            on s.customer = i.customer and before <= t and before >= t - interval 7 days) as h
        on helped = number group by g""",
    "community_participation": _per_active("count(distinct customer)", COMMUNITY),
    "referral_rate": _per_active("count(distinct customer)", "kind = 'referral_made'"),
    "mentions_per_100": _per_active("100 * count(*)", "kind = 'mention'"),
    "customer_posts_per_100": _per_active("100 * count(*)", "kind = 'ugc_post'"),
    "social_engagement_rate": f"""select {{g}} as g, sum(n) / sum(reach), count(*) from (
        select detail, count(*) as n, max(value) as reach from e where {IN} and {REACTED} group by detail)
        group by g""",
    "social_engagement_per_post": f"""select {{g}} as g, avg(n / reach), count(*) from (
        select detail, count(*) as n, max(value) as reach from e where {IN} and {REACTED} group by detail)
        group by g""",
    "response_rate": f"""with sent as (
        select customer, detail, min(t) as first, arg_min(channel, t) as channel, any_value(region) as region,
               any_value(age_band) as age_band from e where {IN} and {SENT} group by customer, detail),
    back as (select customer, detail, max(t) as last from e where {IN} and {BACK} group by customer, detail)
    select {{g}} as g, avg((last is not null and last >= first)::int), count(*)
    from sent left join back using (customer, detail) group by g""",
    "order_value": _per_event("avg(value)", "kind = 'purchase'"),
    "categories_per_customer": _per_customer("count(distinct detail)", "avg(n)", "kind = 'purchase'"),
    "value_per_customer": _per_active("sum(value)", "kind in ('purchase', 'refund')"),
}
"""For each measure the groups with their figure and its units, over [$a, $b) and grouped by {g}."""

GROUP = {"all": "''", "segment:region": "region", "segment:age_band": "age_band"}


def database(folder: Path) -> duckdb.DuckDBPyConnection:
    """The simulated sources as one table of events."""
    connection = duckdb.connect(config={"file_search_path": str(folder)})
    connection.execute(EVENTS)
    return connection


def figures(
    connection: duckdb.DuckDBPyConnection, measure: str, cut: str, start: str, end: str
) -> dict[str, tuple[float, int]]:
    """By group, the figure and its units over the days `[start, end)`."""
    g = GROUP.get(cut, cut)
    query = MEASURES[measure].format(g=g, base=g if cut.startswith("segment") else "''")
    for name, day in (("$a", start), ("$b", end)):
        query = query.replace(name, f"timestamp '{day}'")
    return {
        group: (value, n) for group, value, n in connection.execute(query).fetchall() if group is not None
    }
