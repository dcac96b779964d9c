"""The `kizuna.toml` that `kizuna init` writes."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from features.catalog.display_names import is_japanese
from features.errors import ConfigurationError, UsageError

TEMPLATE = '''\
# This file describes one project. The folder that holds it is the project folder; relative paths start here.
# ${NAME} reads the environment. Lines that begin with # are the defaults.

# timezone = "UTC"               # days begin at midnight here, for example "Asia/Tokyo"
# language = "en"                # "en" or "ja"
# currency = "JPY"               # of amounts, shown wherever they are
# state = "state"                # the folder of events, scores and records
# tracking_uri = "sqlite:///mlruns/mlflow.db"

# Where your events are: SQL (DuckDB) that gives customer_id, occurred_at and kind, and, where you have
# them, value, channel, place, detail, recorded_at, contract_id, currency and event_id. As many as needed.
[[sources]]
name = "orders"
query = """
select customer as customer_id, ordered_at as occurred_at, 'purchase' as kind, amount as value
from read_csv('data/orders.csv', all_varchar = true)
"""

# What is known about a customer besides events, and since when.
# [[attributes]]
# name = "plan"
# query = """
# select customer as customer_id, since as known_at, plan as value
# from read_csv('data/plans.csv', all_varchar = true)
# """

# Customer ids that changed, with a migration or a merger: the events of both are one customer's.
# [[aliases]]
# query = "select old_id, new_id from read_csv('data/aliases.csv', all_varchar = true)"

# What people read in the place of names in the data. [[attributes]] take english, japanese and values too.
# [names.places]
# s01 = { english = "Ginza", japanese = "銀座店" }
# [names.details]
# plan_change = { english = "change of plan", japanese = "プラン変更" }

# Which kinds of event measure which side of engagement; the defaults fit the usual names.
# [indicators.usage]
# kinds = ["visit", "session", "login", "feature_used"]

# [features]
# windows = [7, 14, 30, 60, 90, 180, 365]

# Features of your own, as many as needed; `kizuna compare kizuna.toml other.toml` tells whether they help.
# Made of events (docs/features.md lists the aggregates):
# [[features.add]]
# name = "complaints_60d"
# stream = { indicator = "inquiry", kinds = ["complaint"] }
# aggregate = "count"
# days = 60
# english = "complaints in the last 60 days"
# japanese = "直近60日のクレーム件数"
# The share of them, here of purchases on the web:
# [[features.add]]
# name = "web_share_90d"
# stream = { indicator = "purchase", channels = ["web"] }
# aggregate = "share"
# days = 90
# Made of two other features; the operations are ratio, difference, trend and share:
# [[features.add]]
# name = "basket_90d"
# operation = "ratio"
# first = "purchase_sum_90d"
# second = "purchase_count_90d"

# When a customer counts as gone: no such event in the horizon, among those who had one in the active days.
[churn]
type = "inactivity"              # or "contract", with started_by, ended_by and completed_by
indicators = ["purchase"]
active_days = 90
horizon_days = 60
# lead_days = 0

# [tiers]
# names = ["dormant", "cooling", "casual", "engaged", "devoted"]

# How many customers can be approached per list.
[capacity]
contacts = 500
'''


JAPANESE = "kizuna.ja.toml"
"""The template with Japanese comments, beside this module."""


def template(language: str) -> str:
    """The commented settings in a language."""
    if not is_japanese(language):
        return TEMPLATE
    return files(__package__).joinpath(JAPANESE).read_text(encoding="utf-8")


def with_currency(text: str, currency: str | None) -> str:
    """The settings with the currency of amounts; as they are without one. Raises `UsageError` for no code."""
    if currency is None:
        return text
    code = currency.strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise UsageError(
            f"cannot write a project with the currency '{currency}': a currency has three letters. Give one "
            "such as EUR, JPY or USD.",
            field="currency",
        )
    line = f'currency = "{code}"'
    told = re.sub(r"(?m)^(?:# )?currency = \"[A-Z]{3}\"", line, text, count=1)
    if told != text or line in text:
        return told
    comments = re.match(r"(?:#[^\n]*\n|\n)*", text)  # keys stand before the first table
    end = 0 if comments is None else comments.end()
    return f"{text[:end]}{line}\n{text[end:]}"


def write(folder: Path, name: str, text: str) -> Path:
    """Write a project's file into the folder; raises `ConfigurationError` where there is one already."""
    file = folder / name
    refuse_existing(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        refuse_existing(folder, name)
    return file


def refuse_existing(folder: Path, name: str) -> None:
    """Raise `ConfigurationError` where the folder has this file already: it is left alone."""
    file = folder / name
    if file.exists():
        raise ConfigurationError(
            f"cannot write {file}: it is there already. "
            "Edit it, or name another folder: `kizuna init FOLDER`."
        )
