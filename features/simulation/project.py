"""The `kizuna.toml` of the simulated service: how its tables become events."""

from __future__ import annotations

NOW = "now.txt"
"""The file with the present instant of the simulated project."""

TEXT = '''\
# A simulated subscription service with a shop. Why its customers leave is written apart, in truth/, for
# tests and benchmarks; nothing in this file reads it.
timezone = "Asia/Tokyo"
language = "en"

# Time is simulated: it stands still at the instant in this file, the end of the record.
[simulated]
now = "now.txt"

[[sources]]
name = "orders"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, amount as value, channel, store as place, category as detail, 'order-' || number as event_id
from 'data/orders.parquet'
"""

[[sources]]
name = "usage"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, minutes as value, channel, feature as detail,
       'use-' || number as event_id
from 'data/usage.parquet'
"""

[[sources]]
name = "content"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, minutes as value, 'web' as channel, title as detail,
       'content-' || number as event_id
from 'data/content.parquet'
"""

# How long an answer took is known when it is given: until then there is no such ticket.
[[sources]]
name = "tickets"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, minutes as value, channel, agent as place,
       topic as detail, answered_at as recorded_at, 'ticket-' || number as event_id
from 'data/tickets.parquet'
"""

[[sources]]
name = "surveys"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, score as value, touchpoint as detail,
       'answer-' || number as event_id
from 'data/surveys.parquet'
"""

[[sources]]
name = "social"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, reach as value, 'social' as channel, post as detail,
       'social-' || number as event_id
from 'data/social.parquet'
"""

[[sources]]
name = "community"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, 'community' as channel, about as detail,
       'community-' || number as event_id
from 'data/community.parquet'
"""

# What the company did.
[[sources]]
name = "campaigns"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, cost as value, channel, campaign as detail,
       'campaign-' || number as event_id
from 'data/campaigns.parquet'
"""

[[sources]]
name = "responses"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, amount as value, channel, campaign as detail,
       'response-' || number as event_id
from 'data/responses.parquet'
"""

[[sources]]
name = "contracts"
query = """
select customer as customer_id, happened_at as occurred_at,
       kind, fee as value, plan as detail,
       'contract-' || number as event_id
from 'data/contracts.parquet'
"""

[[attributes]]
name = "region"
query = "select customer as customer_id, since as known_at, region as value from 'data/profiles.parquet'"
english = "region"
japanese = "地域"
[attributes.values]
kanto = { english = "Kanto", japanese = "関東" }
kansai = { english = "Kansai", japanese = "関西" }
chubu = { english = "Chubu", japanese = "中部" }
kyushu = { english = "Kyushu", japanese = "九州" }
hokkaido_tohoku = { english = "Hokkaido and Tohoku", japanese = "北海道・東北" }

[[attributes]]
name = "age_band"
query = "select customer as customer_id, since as known_at, age_band as value from 'data/profiles.parquet'"
english = "age group"
japanese = "年代"
[attributes.values]
20s = { japanese = "20代" }
30s = { japanese = "30代" }
40s = { japanese = "40代" }
50s = { japanese = "50代" }
60s_up = { english = "60 and over", japanese = "60代以上" }

[[attributes]]
name = "birthday"
query = "select customer as customer_id, since as known_at, birthday as value from 'data/profiles.parquet'"
japanese = "誕生日"

[[attributes]]
name = "do_not_contact"
query = """
select customer as customer_id, since as known_at, 'yes' as value from 'data/profiles.parquet'
where do_not_contact
"""
japanese = "連絡停止の希望"
[attributes.values]
yes = { japanese = "あり" }

[features]
windows = [7, 30, 90, 365]

[churn]
type = "contract"            # gone is who cancels within the next 30 days
horizon_days = 30

[capacity]
contacts = 500
'''
