"""Which exports of other tools have a recipe, and what churn means on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from serving.project.recipes.sql_file import RecipeQuery, load
from serving.project.settings_blocks import ACCOUNTS, ANALYTICS, CONTRACT, MESSAGES, SHOP


@dataclass(frozen=True)
class RecipeSource:
    """One source of a project: its name, and the SQL file that makes it."""

    name: str
    file: str

    @property
    def query(self) -> RecipeQuery:
        """The SQL file with English comments."""
        return load(self.file)

    def query_in(self, language: str) -> RecipeQuery:
        """The SQL file with comments in this language."""
        return load(self.file, language)


@dataclass(frozen=True)
class Recipe:
    """An export that Kizuna knows: its sources and the settings that fit.

    Sources of one name are forms of the same thing, of which a project reads one.
    """

    name: str
    tool: str
    sources: tuple[RecipeSource, ...]
    becomes: str
    """What of the export becomes which kind of event, in a line."""
    becomes_in_japanese: str
    churn: str
    settings: str = ""
    japanese: bool = False
    """Whether the project's calendar and language are those of a Japanese shop."""
    needed: str | None = None
    """The source without which the others say too little."""


def _one(name: str, file: str) -> tuple[RecipeSource, ...]:
    return (RecipeSource(name, file),)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "ga4",
                "Google Analytics 4 (export to BigQuery)",
                _one("ga4", "ga4.sql"),
                "page_view, screen_view: visit; session_start: session; login; purchase; refund; share; "
                "view_search_results, file_download: feature_used",
                "page_view、screen_view は visit、session_start は session、"
                "login、purchase、refund、share は同じ名前、"
                "view_search_results、file_download は feature_used",
                ANALYTICS,
            ),
            Recipe(
                "segment",
                "Segment (storage destination)",
                _one("segment", "segment.sql"),
                "page, screen: visit; Order Completed: purchase; Order Refunded, Order Cancelled: refund; "
                "Signed In: login; Application Opened: session; Email Sent: email_sent; "
                "Email Link Clicked: email_clicked; other names: feature_used",
                "page、screen は visit、Order Completed は purchase、"
                "Order Refunded、Order Cancelled は refund、"
                "Signed In は login、Application Opened は session、Email Sent は email_sent、"
                "Email Link Clicked は email_clicked、ほかの名前は feature_used",
                ANALYTICS,
                MESSAGES,
            ),
            Recipe(
                "rudderstack",
                "RudderStack (object storage destination)",
                _one("rudderstack", "rudderstack.sql"),
                "page, screen: visit; first call of a session: session; Order Completed: purchase; "
                "Order Refunded, Order Cancelled: refund; other names: feature_used",
                "page、screen は visit、セッションの最初の呼び出しは session、Order Completed は purchase、"
                "Order Refunded、Order Cancelled は refund、ほかの名前は feature_used",
                ANALYTICS,
                MESSAGES,
            ),
            Recipe(
                "braze",
                "Braze Currents (Avro files)",
                _one("braze", "braze.sql"),
                "SessionStart: session; Purchase: purchase; CustomEvent: feature_used; email Send, Open, "
                "Click: email_sent, email_opened, email_clicked; Unsubscribe: attribute email_opt_out; "
                "push and SMS likewise",
                "SessionStart は session、Purchase は purchase、"
                "CustomEvent は feature_used、メールの Send、Open、Click は "
                "email_sent、email_opened、email_clicked、"
                "Unsubscribe は属性 email_opt_out（プッシュとSMSも同様）",
                ANALYTICS,
                MESSAGES,
            ),
            Recipe(
                "klaviyo",
                "Klaviyo (events of the API)",
                _one("klaviyo", "klaviyo.sql"),
                "Placed Order: purchase; Refunded Order, Cancelled Order: refund; Active on Site, Viewed "
                "Product: visit; Received, Opened, Clicked Email: email_sent, email_opened, email_clicked; "
                "Unsubscribed: attribute email_opt_out",
                "Placed Order は purchase、Refunded Order、Cancelled Order は refund、"
                "Active on Site、Viewed Product は "
                "visit、Received、Opened、Clicked Email は email_sent、email_opened、email_clicked、"
                "Unsubscribed は属性 email_opt_out",
                SHOP,
                MESSAGES,
            ),
            Recipe(
                "shopify",
                "Shopify (orders: CSV of the admin, or bulk JSON lines)",
                (
                    RecipeSource("orders", "shopify/orders_csv.sql"),
                    RecipeSource("orders", "shopify/orders_bulk.sql"),
                ),
                "an order: purchase; refunds and cancelled orders that were not paid: refund; "
                "marketing accepted: attribute email_opt_in",
                "注文は purchase、返金と支払い前にキャンセルされた注文は refund、"
                "マーケティングの同意は属性 email_opt_in",
                SHOP,
            ),
            Recipe(
                "stripe",
                "Stripe (subscriptions, invoices, events)",
                (
                    RecipeSource("subscriptions", "stripe/subscriptions.sql"),
                    RecipeSource("invoices", "stripe/invoices.sql"),
                    RecipeSource("events", "stripe/events.sql"),
                ),
                "a subscription: started, cancelled (ended_at), trial_started; a paid invoice: purchase; "
                "credit notes: refund; cancel_at_period_end turns: cancel_requested, cancel_withdrawn; "
                "payment_failed",
                "サブスクリプションは started、cancelled（ended_at）、"
                "trial_started、支払い済みの請求書は purchase、"
                "クレジットノートは refund、"
                "cancel_at_period_end の変化は cancel_requested、cancel_withdrawn、"
                "支払いの失敗は payment_failed",
                CONTRACT,
                needed="subscriptions",
            ),
            Recipe(
                "salesforce",
                "Salesforce (cases and opportunities)",
                (
                    RecipeSource("opportunities", "salesforce/opportunities.sql"),
                    RecipeSource("cases", "salesforce/cases.sql"),
                ),
                "a won opportunity: purchase; a lost one: opportunity_lost; a case: ticket_opened",
                "成立した商談は purchase、不成立の商談は opportunity_lost、ケースは ticket_opened",
                ACCOUNTS,
            ),
            Recipe(
                "ec-cube",
                "EC-CUBE 4 (dtb_order)",
                _one("orders", "ec-cube.sql"),
                "an order: purchase; cancelled (3) and returned (9) ones: refund",
                "注文は purchase、キャンセル（3）と返品（9）は refund",
                SHOP,
                japanese=True,
            ),
            Recipe(
                "futureshop",
                "futureshop (受注データ)",
                _one("orders", "futureshop.sql"),
                "an order (受注コード): purchase; a cancelled one: refund",
                "注文（受注コード）は purchase、キャンセルされた注文は refund",
                SHOP,
                japanese=True,
            ),
        )
    }
)
"""The recipes of `kizuna init --from NAME PATH`, by name."""
