"""Parts of a `kizuna.toml` that recipes and proposals write alike, and how a query is written in one."""

from __future__ import annotations

from features.catalog.display_names import is_japanese

JAPANESE = """\
timezone = "Asia/Tokyo"
language = "ja"
"""
PLAIN = """\
# timezone = "Asia/Tokyo"        # days begin at midnight here; UTC when absent
# language = "ja"                # of lists and reasons; "en" when absent
"""
CAPACITY = """\
# How many customers can be approached per list.
[capacity]
contacts = 500
"""
CONTRACT = """\
[churn]
type = "contract"                # gone is whose last contract ends
horizon_days = 30
started_by = ["started", "renewed"]
ended_by = ["cancelled"]
"""
SHOP = """\
[churn]
type = "inactivity"              # gone is who buys nothing in the horizon, having bought in the active days
indicators = ["purchase"]
active_days = 180
horizon_days = 90
"""
ANALYTICS = """\
[churn]
type = "inactivity"              # gone is who does not come in the horizon, having come in the active days
indicators = ["usage"]
active_days = 30
horizon_days = 30
"""
ACCOUNTS = """\
[churn]
type = "inactivity"              # gone is who neither buys nor asks in the horizon, having done so before
indicators = ["purchase", "inquiry"]
active_days = 365
horizon_days = 180
"""
MESSAGES = """\
[indicators.response]
kinds = ["email_clicked", "email_opened", "push_opened", "message_clicked", "sms_clicked", "coupon_redeemed"]

[indicators.campaign]
kinds = ["email_sent", "push_sent", "sms_sent", "coupon_sent", "call_made"]
"""

_COMMENTS = {
    "# How many customers can be approached per list.": "# 1回のリストで対応できる顧客数",
    "# gone is whose last contract ends": "# 最後の契約が終わった顧客を離反とします",
    "# gone is who buys nothing in the horizon, having bought in the active days": (
        "# active_days 日以内に購買し、その後 horizon_days 日間に購買がない顧客を離反とします"
    ),
    "# gone is who does not come in the horizon, having come in the active days": (
        "# active_days 日以内に利用し、その後 horizon_days 日間に利用がない顧客を離反とします"
    ),
    "# gone is who neither buys nor asks in the horizon, having done so before": (
        "# active_days 日以内に購買か問い合わせがあり、その後 horizon_days 日間にない顧客を離反とします"
    ),
}


def commented(block: str, language: str) -> str:
    """A block with its comments in this language."""
    if is_japanese(language):
        for english, japanese in _COMMENTS.items():
            block = block.replace(english, japanese)
    return block


def toml_text(text: str) -> str:
    """A text over several lines as TOML writes it, as it is where TOML can."""
    if "'''" not in text:
        return f"'''\n{text}\n'''"
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{escaped}\n"""'
