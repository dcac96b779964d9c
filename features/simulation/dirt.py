"""The kinds of dirt in exports: each changes how rows are written, not what they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from features.simulation.exports import EARLIER_ID, MIGRATION, Mess, Text
from features.simulation.written import (
    BIRTHDAYS,
    MOMENTS,
    MOST_LIKELY,
    NEGATIVE,
    NO_WORDS,
    NUMBERS,
    YES_WORDS,
)


def _flags(mess: Mess) -> None:
    """Opt-outs in every spelling."""
    values = mess.exports["profiles"].columns["do_not_contact"]
    values[:] = [mess.one(YES_WORDS if value == "true" else NO_WORDS) for value in values]


def _birthdays(mess: Mess) -> None:
    """Birthdays with and without a year, in several forms."""
    values = mess.exports["profiles"].columns["birthday"]
    for row in mess.some(len(values)):
        month, day = (int(part) for part in str(values[row]).split("-"))
        values[row] = BIRTHDAYS[mess.one(BIRTHDAYS)](1985, month, day)


def _late_consent(mess: Mess) -> None:
    """Opt-outs that are known only after the record's end, one day later."""
    profiles = mess.exports["profiles"]
    refused = [row for row, value in enumerate(profiles.columns["do_not_contact"]) if value != "false"]
    for row in refused:
        if mess.draw.random() < 0.5:
            profiles.moments["consent_at"][row] = mess.end + timedelta(days=1, hours=10)


def _numbers(mess: Mess) -> None:
    """Amounts with separators, currency signs and full-width digits; refunds in the accountants' way."""
    for table, column in (("orders", "amount"), ("usage", "minutes"), ("contracts", "fee")):
        style = NUMBERS[mess.one([name for name in NUMBERS if table == "orders" or name != "yen"])]
        negative = NEGATIVE[mess.one(NEGATIVE)]
        values = mess.exports[table].columns[column]
        for row, value in enumerate(values):
            if value is not None:
                number = float(value)
                values[row] = style(number) if number >= 0 else negative(style(-number))


def _moments(mess: Mess) -> None:
    """Every table has its own way of writing moments."""
    for name in mess.exports:
        mess.moment_styles[name] = mess.one(MOMENTS)


def _labels(mess: Mess) -> None:
    """Survey answers with their labels."""
    scores = mess.exports["surveys"].columns["score"]
    kinds = mess.exports["surveys"].columns["kind"]
    for row in mess.some(len(scores)):
        if kinds[row] == "nps" and scores[row] in MOST_LIKELY:
            scores[row] = MOST_LIKELY[str(scores[row])]


def _plan_changes(mess: Mess) -> None:
    """A change of plan as an end and a start, within a day and in any order of their ids."""
    contracts = mess.exports["contracts"]
    plans: dict[Text, Text] = {}
    order = sorted(range(len(contracts)), key=lambda row: contracts.moments["happened_at"][row] or mess.end)
    stays: list[int] = []
    fresh: list[tuple[dict[str, Text], dict[str, datetime | None]]] = []
    for row in order:
        texts, times = contracts.row(row)
        before = plans.get(texts["customer"], texts["plan"])
        plans[texts["customer"]] = texts["plan"]
        at = times["happened_at"]
        if texts["kind"] not in ("upgraded", "downgraded") or at is None or mess.draw.random() >= mess.share:
            stays.append(row)
            continue
        hours = (0, 0, 1 / 3600, 1)[int(mess.draw.integers(0, 4))]
        # On the same day: a record that is without a contract over midnight says so truly at that as-of date.
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        started = max(at, min(at + timedelta(hours=hours), midnight - timedelta(seconds=1)))
        first, second = ("1", "2") if mess.draw.random() < 0.5 else ("2", "1")
        ended = {**texts, "kind": "cancelled", "plan": before, "number": f"{texts['number']}-{first}"}
        begun = {**texts, "kind": "started", "number": f"{texts['number']}-{second}"}
        fresh += [(ended, {"happened_at": at}), (begun, {"happened_at": started})]
    contracts.keep(stays)
    for texts, times in fresh:
        contracts.add(texts, times)


def _second_contracts(mess: Mess) -> None:
    """A second contract beside the first, which ends while the first runs on."""
    contracts = mess.exports["contracts"]
    first: dict[Text, datetime] = {}
    last: dict[Text, datetime] = {}
    for row in range(len(contracts)):
        texts, times = contracts.row(row)
        at = times["happened_at"]
        if at is not None:
            first[texts["customer"]] = min(at, first.get(texts["customer"], at))
            if texts["kind"] == "cancelled":
                last[texts["customer"]] = min(at, last.get(texts["customer"], at))
    mess.contract_ids = bool(mess.draw.random() < 0.5)
    if mess.contract_ids:
        contracts.columns["contract"] = ["main"] * len(contracts)
    customers = sorted(first, key=str)
    for place in mess.some(len(customers)):
        customer = customers[place]
        begin = first[customer] + timedelta(days=20)
        stop = begin + timedelta(days=100)
        if stop >= min(last.get(customer, mess.end), mess.end):
            continue
        for kind, at in (("started", begin), ("cancelled", stop)):
            texts = dict.fromkeys(contracts.columns)
            texts |= {"number": f"box-{customer}-{kind}", "customer": customer, "kind": kind, "plan": "box"}
            texts |= {"fee": "480"} | ({"contract": "box"} if mess.contract_ids else {})
            contracts.add(texts, {"happened_at": at})


def _future_rows(mess: Mess) -> None:
    """Renewals that are booked already but have not come."""
    contracts = mess.exports["contracts"]
    for place, row in enumerate(mess.some(len(contracts))[:20]):
        texts, _ = contracts.row(row)
        texts |= {"kind": "renewed", "number": f"booked-{place}"}
        contracts.add(texts, {"happened_at": mess.end + timedelta(days=10 + place)})


def _blank_lines(mess: Mess) -> None:
    """Further lines of an order that have its number and nothing else to say."""
    orders = mess.exports["orders"]
    for row in mess.some(len(orders)):
        texts, times = orders.row(row)
        orders.add({**texts, "amount": None, "store": None, "category": None}, times)


def _shared_numbers(mess: Mess) -> None:
    """Every system counts its rows from 0: one number stands for several things."""
    mess.shared_numbers = True


def _twice(mess: Mess) -> None:
    """An export that overlaps with the next one: the same rows in two files."""
    mess.twice = True


def _new_ids(mess: Mess) -> None:
    """Customers had other ids before a migration; a table says which became which."""
    profiles = mess.exports["profiles"].columns["customer"]
    renamed = {profiles[row]: EARLIER_ID.format(number=row) for row in mess.some(len(profiles))}
    for name, export in mess.exports.items():
        if name == "profiles":
            continue
        customers, times = export.columns["customer"], export.moments["happened_at"]
        for row, at in enumerate(times):
            if at is not None and at < MIGRATION and customers[row] in renamed:
                customers[row] = renamed[customers[row]]
    mess.aliases = [(old, str(new)) for new, old in renamed.items()]


def _digits(mess: Mess) -> None:
    """Ids of digits with leading zeros, in a file whose types the reader is left to guess."""
    mess.digits = True
    for export in mess.exports.values():
        customers = export.columns["customer"]
        customers[:] = [str(one).removeprefix("c") for one in customers]
    mess.aliases = [(old, new.removeprefix("c")) for old, new in mess.aliases]


def _contacts_today(mess: Mess) -> None:
    """Calls that were recorded after the record's end: they say nothing of what customers do."""
    campaigns, profiles = mess.exports["campaigns"], mess.exports["profiles"].columns["customer"]
    for place, row in enumerate(mess.some(len(profiles))[:20]):
        texts: dict[str, Text] = dict.fromkeys(campaigns.columns)
        texts |= {"number": f"today-{place}", "customer": profiles[row], "kind": "call_made", "cost": "800"}
        campaigns.add({**texts, "channel": "phone"}, {"happened_at": mess.end + timedelta(days=1, hours=9)})


DIRT: dict[str, Callable[[Mess], None]] = {
    "late_consent": _late_consent,
    "flags": _flags,
    "birthdays": _birthdays,
    "plan_changes": _plan_changes,
    "second_contracts": _second_contracts,
    "future_rows": _future_rows,
    "contacts_today": _contacts_today,
    "new_ids": _new_ids,
    "digits": _digits,
    "numbers": _numbers,
    "labels": _labels,
    "blank_lines": _blank_lines,
    "shared_numbers": _shared_numbers,
    "twice": _twice,
    "moments": _moments,
}
"""The kinds of dirt, in the order in which they are applied; the first line of each says what it is."""
