"""Display names of streams in English and Japanese, from which the meanings of features are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from features.events.recurring_amounts import Period
from features.events.schema import REFUND

T = TypeVar("T")
U = TypeVar("U")


def is_japanese(language: str) -> bool:
    """Whether a language code means Japanese: the one place that compares language codes."""
    return language == "ja"


def in_language(language: str, english: T, japanese: U) -> T | U:
    """The English or the Japanese one of two texts."""
    return japanese if is_japanese(language) else english


@dataclass(frozen=True)
class DisplayName:
    """The words for one stream of events."""

    one: str = "event"
    many: str = "events"
    ja: str = "行動"
    count: str = "行動回数"
    value: str = "value"
    ja_value: str = "値"
    unit: str = "number"
    """What the values are: `amount`, `minutes`, `answer`, `reach`, `number`."""
    detail: str = "detail"
    details: str = "details"
    ja_details: str = "内容"


def _amount(
    one: str, many: str, ja: str, count: str, ja_value: str, detail: tuple[str, str, str]
) -> DisplayName:
    return DisplayName(one, many, ja, count, "amount", ja_value, "amount", *detail)


def _minutes(one: str, many: str, ja: str, count: str, detail: tuple[str, str, str]) -> DisplayName:
    return DisplayName(one, many, ja, count, "minutes", f"{ja}時間（分）", "minutes", *detail)


INDICATOR_WORDS = {
    "purchase": _amount(
        "purchase", "purchases", "購買", "購買回数", "購買金額", ("category", "categories", "カテゴリ")
    ),
    "usage": _minutes(
        "use",
        "uses of site or app",
        "サイト・アプリ利用",
        "サイト・アプリ利用回数",
        ("feature", "features", "機能"),
    ),
    "content": _minutes(
        "use of content",
        "uses of content",
        "コンテンツ閲覧",
        "コンテンツ閲覧回数",
        ("title", "titles", "タイトル"),
    ),
    "inquiry": DisplayName(
        "inquiry",
        "inquiries",
        "問い合わせ",
        "問い合わせ件数",
        "minutes to answer",
        "問い合わせの回答時間（分）",
        "minutes",
        "topic",
        "topics",
        "用件",
    ),
    "survey": DisplayName(
        "survey answer",
        "survey answers",
        "アンケート回答",
        "アンケート回答数",
        "score",
        "アンケート評価",
        "answer",
        "touchpoint",
        "touchpoints",
        "対象",
    ),
    "social": DisplayName(
        "social media action",
        "social media actions",
        "SNSでの反応",
        "SNSでの反応数",
        "reach",
        "リーチ",
        "reach",
    ),
    "community": DisplayName(
        "community activity", "community activities", "コミュニティ参加", "コミュニティ参加回数"
    ),
    "referral": DisplayName("referral", "referrals and reviews", "紹介・口コミ", "紹介・口コミの件数"),
    "response": _amount(
        "response to a campaign",
        "responses to campaigns",
        "施策への反応",
        "施策への反応数",
        "施策経由の金額",
        ("campaign", "campaigns", "施策"),
    ),
    "campaign": DisplayName(
        "campaign contact",
        "campaign contacts",
        "施策接触",
        "施策接触回数",
        "cost",
        "施策費用",
        "amount",
        "campaign",
        "campaigns",
        "施策",
    ),
    "contract": _amount(
        "contract event",
        "contract events",
        "契約手続き",
        "契約手続きの回数",
        "契約金額",
        ("plan", "plans", "プラン"),
    ),
}

PERIOD_WORDS: dict[Period, tuple[str, str]] = {
    "day": ("daily", "日額"),
    "week": ("weekly", "週額"),
    "month": ("monthly", "月額"),
    "quarter": ("quarterly", "四半期額"),
    "half-year": ("half-yearly", "半年額"),
    "year": ("yearly", "年額"),
}
ITEM_WORDS = DisplayName(
    "purchase",
    "purchases",
    "購買",
    "購買回数",
    "number of items",
    "購入点数",
    "number",
    "item",
    "items",
    "商品",
)
# kind: (one, many, Japanese, Japanese count)
_KINDS = {
    "purchase": ("purchase", "purchases", "購買", "購買回数"),
    REFUND: ("refund", "refunds", "返品・返金", "返品・返金回数"),
    "items": ("count of items bought", "counts of items bought", "購入点数", "購入点数の記録数"),
    "visit": ("visit", "visits", "訪問", "訪問回数"),
    "session": ("session", "sessions", "セッション", "セッション数"),
    "login": ("login", "logins", "ログイン", "ログイン回数"),
    "feature_used": ("feature use", "feature uses", "機能利用", "機能利用回数"),
    "article_read": ("article read", "articles read", "記事閲覧", "記事閲覧数"),
    "faq_viewed": ("FAQ view", "FAQ views", "FAQ閲覧", "FAQ閲覧数"),
    "tutorial_watched": (
        "tutorial watched",
        "tutorials watched",
        "チュートリアル視聴",
        "チュートリアル視聴回数",
    ),
    "chatbot_asked": (
        "chatbot question",
        "chatbot questions",
        "チャットボット利用",
        "チャットボット利用回数",
    ),
    "ticket_opened": ("ticket", "tickets", "問い合わせ（チケット）", "問い合わせ（チケット）件数"),
    "chat": ("chat", "chats", "チャット相談", "チャット相談件数"),
    "call": ("phone call", "phone calls", "電話での問い合わせ", "電話での問い合わせ件数"),
    "complaint": ("complaint", "complaints", "苦情", "苦情件数"),
    "nps": ("NPS answer", "NPS answers", "NPS回答", "NPS回答数"),
    "csat": ("satisfaction answer", "satisfaction answers", "満足度回答", "満足度回答数"),
    "like": ("like", "likes", "いいね", "いいねの数"),
    "comment": ("comment", "comments", "コメント", "コメント数"),
    "share": ("share", "shares", "シェア", "シェア数"),
    "mention": ("mention", "mentions", "言及", "言及数"),
    "ugc_post": ("post about us", "posts about us", "顧客による投稿", "顧客による投稿数"),
    "community_post": ("community post", "community posts", "コミュニティ投稿", "コミュニティ投稿数"),
    "reply": ("community reply", "community replies", "コミュニティ返信", "コミュニティ返信数"),
    "event_attended": ("event attended", "events attended", "イベント参加", "イベント参加回数"),
    "referral_made": ("referral", "referrals", "紹介", "紹介件数"),
    "review_posted": ("review", "reviews", "口コミ投稿", "口コミ投稿数"),
    "email_clicked": ("e-mail click", "e-mail clicks", "メールのクリック", "メールのクリック数"),
    "coupon_redeemed": ("coupon redeemed", "coupons redeemed", "クーポン利用", "クーポン利用回数"),
    "email_sent": ("e-mail sent", "e-mails sent", "メール配信", "メール配信数"),
    "push_sent": ("push message", "push messages", "プッシュ通知", "プッシュ通知数"),
    "coupon_sent": ("coupon sent", "coupons sent", "クーポン配布", "クーポン配布数"),
    "call_made": ("call made", "calls made", "架電", "架電数"),
    "started": ("contract start", "contract starts", "契約開始", "契約開始回数"),
    "renewed": ("renewal", "renewals", "契約更新", "契約更新回数"),
    "upgraded": ("upgrade", "upgrades", "アップグレード", "アップグレード回数"),
    "downgraded": ("downgrade", "downgrades", "ダウングレード", "ダウングレード回数"),
    "cancelled": ("cancellation", "cancellations", "解約", "解約回数"),
    "completed": ("contract completed", "contracts completed", "契約満了", "契約満了回数"),
}


def kind_words(kind: str, like: DisplayName | None = None) -> DisplayName:
    """The words for one kind of event, with the value and detail words of the stream it is part of."""
    plain = kind.replace("_", " ")
    one, many, ja, count = _KINDS.get(kind, (plain, f"{plain} events", f"「{kind}」", f"「{kind}」の回数"))
    words = replace(like or DisplayName(), one=one, many=many, ja=ja, count=count)
    return (
        replace(words, ja_value=f"{ja}時間（分）")
        if words.ja_value.endswith("時間（分）") and like and like.value == "minutes"
        else words
    )


def recurring(words: DisplayName, per: Period) -> DisplayName:
    """The words of a stream whose values are amounts of each period."""
    english, japanese = PERIOD_WORDS[per]
    return replace(words, value=f"{english} {words.value}", ja_value=f"{words.ja_value}（{japanese}）")


def narrowed(words: DisplayName, to: Sequence[str]) -> DisplayName:
    """The words for some of a stream's events: those of a channel, a place or a detail."""
    if not to:
        return words
    english, japanese = f" ({', '.join(to)})", f"（{'、'.join(to)}）"
    return replace(
        words,
        one=words.one + english,
        many=words.many + english,
        ja=words.ja + japanese,
        count=words.count + japanese,
        ja_value=words.ja_value + japanese,
    )
