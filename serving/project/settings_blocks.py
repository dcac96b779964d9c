"""Parts of a `kizuna.toml` that recipes and proposals write alike, and how a query is written in one."""

from __future__ import annotations

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


def toml_text(text: str) -> str:
    """A text over several lines as TOML writes it, as it is where TOML can."""
    if "'''" not in text:
        return f"'''\n{text}\n'''"
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{escaped}\n"""'
