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
        return load(self.file)


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
                ANALYTICS,
            ),
            Recipe(
                "segment",
                "Segment (storage destination)",
                _one("segment", "segment.sql"),
                "page, screen: visit; Order Completed: purchase; Order Refunded, Order Cancelled: refund; "
                "Signed In: login; Application Opened: session; Email Sent: email_sent; "
                "Email Link Clicked: email_clicked; other names: feature_used",
                ANALYTICS,
                MESSAGES,
            ),
            Recipe(
                "rudderstack",
                "RudderStack (object storage destination)",
                _one("rudderstack", "rudderstack.sql"),
                "page, screen: visit; first call of a session: session; Order Completed: purchase; "
                "Order Refunded, Order Cancelled: refund; other names: feature_used",
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
                ACCOUNTS,
            ),
            Recipe(
                "ec-cube",
                "EC-CUBE 4 (dtb_order)",
                _one("orders", "ec-cube.sql"),
                "an order: purchase; cancelled (3) and returned (9) ones: refund",
                SHOP,
                japanese=True,
            ),
            Recipe(
                "futureshop",
                "futureshop (受注データ)",
                _one("orders", "futureshop.sql"),
                "an order (受注コード): purchase; a cancelled one: refund",
                SHOP,
                japanese=True,
            ),
        )
    }
)
"""The recipes of `kizuna init --from NAME PATH`, by name."""
