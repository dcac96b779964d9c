"""`[names]` of the simulated service's `kizuna.toml`: what its people read instead of names in the data."""

from __future__ import annotations

from collections.abc import Iterator

from features.simulation.world import AGENTS, ARTICLES, FAQS, FEATURES, STORES, TOPICS, TUTORIALS

_CATEGORIES = {
    "coffee": "コーヒー",
    "tea": "お茶",
    "sweets": "スイーツ",
    "vegetables": "野菜",
    "fruit": "果物",
    "rice": "お米",
    "wine": "ワイン",
    "cheese": "チーズ",
    "bread": "パン",
    "skincare": "スキンケア",
    "supplements": "サプリメント",
    "household": "日用品",
}
_FEATURES = {
    "search": "検索",
    "favourites": "お気に入り",
    "wishlist": "欲しいものリスト",
    "recipes": "レシピ",
    "meal_planner": "献立プランナー",
    "shopping_list": "買い物メモ",
    "subscription_box": "定期便",
    "delivery_tracking": "配送状況の確認",
    "points_wallet": "ポイント残高",
    "gift_cards": "ギフトカード",
}
_TOPICS = {
    "billing": "請求",
    "delivery": "配送",
    "login": "ログイン",
    "how_to": "使い方",
    "defect": "不良品",
    "plan_change": "プラン変更",
}
_OTHERS = {
    "light": "ライト",
    "standard": "スタンダード",
    "premium": "プレミアム",
    "tasting_evening": "試飲会",
    "cooking_class": "料理教室",
    "online_meetup": "オンライン交流会",
    "maker_visit": "生産者訪問",
    "onboarding": "利用開始時",
    "relationship": "定期調査",
    "support": "問い合わせ後",
    "checkout": "購入時",
    "app": "アプリ",
}


def _entries() -> Iterator[str]:
    yield "# What people read in the place of names in the data; files and the API keep those of the data."
    yield "[names.places]"
    for number, store in enumerate(STORES, 1):
        yield _entry(store, f"Store {number}", f"{number}号店")
    for number, agent in enumerate(AGENTS, 1):
        yield _entry(agent, f"Agent {number}", f"担当者{number}")
    yield ""
    yield "[names.details]"
    for name, japanese in (_CATEGORIES | _FEATURES | _TOPICS | _OTHERS).items():
        yield _entry(name, name.replace("_", " "), japanese)
    for number, article in enumerate(ARTICLES, 1):
        yield _entry(article, f"article {number}", f"記事{number}")
    for page, topic in zip(FAQS, TOPICS, strict=True):
        yield _entry(page, f"FAQ on {topic.replace('_', ' ')}", f"FAQ「{_TOPICS[topic]}」")
    for tutorial, feature in zip(TUTORIALS, FEATURES, strict=True):
        about, about_ja = feature.replace("_", " "), _FEATURES[feature]
        yield _entry(tutorial, f"tutorial on {about}", f"チュートリアル「{about_ja}」")


def _entry(name: str, english: str, japanese: str) -> str:
    return f'{name} = {{ english = "{english}", japanese = "{japanese}" }}'


NAMES = "\n".join(_entries()) + "\n"
