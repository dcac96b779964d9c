"""The `kizuna.toml` of a messy export: what somebody would write who knows the export, and no more."""

from __future__ import annotations

from features.simulation.exports import Mess

_HEAD = """\
# A simulated subscription service whose exports are as dirty as real ones. What they mean is known: the same
# numbers without --messy write them clean.
timezone = "Asia/Tokyo"
language = "en"

[simulated]
now = "now.txt"
"""
_SOURCE = '''
[[sources]]
name = "{name}"
query = """
select customer as customer_id, happened_at as occurred_at, kind,
       {columns}
       {event_id} as event_id
from {table}
"""
'''
_COLUMNS = {
    "orders": "amount as value, channel, store as place, category as detail,",
    "usage": "minutes as value, channel, feature as detail,",
    "content": "minutes as value, 'web' as channel, title as detail,",
    "tickets": "minutes as value, channel, agent as place, topic as detail, answered_at as recorded_at,",
    "surveys": "score as value, touchpoint as detail,",
    "social": "reach as value, 'social' as channel, post as detail,",
    "community": "'community' as channel, about as detail,",
    "campaigns": "cost as value, channel, campaign as detail,",
    "responses": "amount as value, channel, campaign as detail,",
    "contracts": "fee as value, plan as detail,",
}
_TAIL = '''
[[attributes]]
name = "birthday"
query = """
select customer as customer_id, since as known_at, birthday as value
from read_csv('data/profiles.csv', all_varchar = true)
"""

[[attributes]]
name = "do_not_contact"
query = """
select customer as customer_id, consent_at as known_at, do_not_contact as value
from read_csv('data/profiles.csv', all_varchar = true)
"""

[features]
windows = [7, 30, 90, 365]

[churn]
type = "contract"
horizon_days = 30

[capacity]
contacts = 500
'''
_ALIASES = """
[[aliases]]
name = "migration"
query = "select old_id, new_id from read_csv('data/aliases.csv', all_varchar = true)"
"""


def settings(mess: Mess) -> str:
    """The text of `kizuna.toml` for these exports."""
    parts = [_HEAD]
    for name, columns in _COLUMNS.items():
        if name not in mess.exports:
            continue
        files = f"data/{name}-*.csv" if mess.twice and name == "orders" else f"data/{name}.csv"
        guessed = mess.digits and name == "usage"
        if name == "contracts" and mess.contract_ids:
            columns += " contract as contract_id,"
        parts.append(
            _SOURCE.format(
                name=name,
                columns=columns,
                event_id="number" if mess.shared_numbers else f"'{name}-' || number",
                table=f"read_csv('{files}')" if guessed else f"read_csv('{files}', all_varchar = true)",
            )
        )
    parts.append(_TAIL)
    if mess.aliases:
        parts.append(_ALIASES)
    return "".join(parts)
