"""The words of engagement that rules, reports and lists share, in both languages."""

from __future__ import annotations

from features.catalog.display_names import in_language

SEGMENT = "segment:"
"""Begins the name of what groups by an attribute's value."""

ATTITUDES = ("promoter", "passive", "detractor", "unknown")
UNKNOWN = ATTITUDES.index("unknown")
ATTITUDE_WORDS = {
    "promoter": ("promoter", "推奨者"),
    "passive": ("passive", "中立者"),
    "detractor": ("detractor", "批判者"),
    "unknown": ("no NPS answer", "NPS回答なし"),
}

STAGES = ("onboarding", "growing", "established", "considering_leaving", "lapsed", "returned")
ONBOARDING, GROWING, ESTABLISHED, CONSIDERING, LAPSED, RETURNED = range(len(STAGES))
STAGE_WORDS = {
    "onboarding": ("onboarding", "導入期"),
    "growing": ("growing", "成長期"),
    "established": ("established", "定着期"),
    "considering_leaving": ("may be leaving", "離反懸念"),
    "lapsed": ("lapsed", "離反済み"),
    "returned": ("returned", "復帰"),
}

FALLING, STEADY, RISING, NOWHERE = -1, 0, 1, -2
MOVEMENTS = {"falling": FALLING, "steady": STEADY, "rising": RISING}

INQUIRIES = ("none", "answered", "open", "stale", "unknown")
NO_INQUIRY, ANSWERED, OPEN, STALE, NOT_KNOWN = range(len(INQUIRIES))
"""`stale`: open for longer than a playbook's `open_inquiry_days`; `unknown`: answers are not noted."""

BAND_WORDS = {
    "low": ("lowest third", "下位の段階"),
    "middle": ("middle third", "中位の段階"),
    "high": ("highest third", "上位の段階"),
}
MOVEMENT_WORDS = {
    "rising": ("rising", "上昇"),
    "steady": ("steady", "横ばい"),
    "falling": ("falling", "低下"),
}
INQUIRY_WORDS = {
    "none": ("none", "なし"),
    "answered": ("answered", "回答済み"),
    "open": ("not answered yet", "未回答"),
    "stale": ("unanswered for long", "長期間未回答"),
    "unknown": ("answer not known", "回答状況が不明"),
}
"""The words of the conditions of a playbook's rules."""

OUTCOMES = ("planned", "no_rule", "held_back", "do_not_contact", "cool_down", "capacity", "control_group")
PLANNED, UNMATCHED, HELD_BACK, ASKED_NOT_TO, COOLING_DOWN, NO_ROOM, IN_CONTROL = range(len(OUTCOMES))
OUTCOME_WORDS = {
    "planned": ("planned", "実施"),
    "no_rule": ("no rule fits", "該当ルールなし"),
    "held_back": ("held back", "見送り"),
    "do_not_contact": (
        "not to be contacted (refused, or not known)",
        "連絡不可（申し出あり、または可否不明）",
    ),
    "cool_down": ("contacted only lately", "直近に接触済み（間隔をあける）"),
    "capacity": ("no room left for this touch model", "対応可能数の上限"),
    "control_group": (
        "in the control group of a campaign: not to be contacted until it ends",
        "施策の対照群（終了まで連絡を控える）",
    ),
}

SOON = 30
"""Days within which an anniversary or a birthday is worth a word."""
HOOKS = (
    "unanswered_inquiry",
    "birthday",
    "anniversary",
    "stopped_category",
    "unused_feature",
    "next_category",
    "favourite_category",
    "last_survey",
)
"""What a list can be cut by: what there is to take up with a customer."""

HOOK_WORDS = {
    "unanswered_inquiry": ("unanswered inquiry", "未回答の問い合わせ"),
    "birthday": ("birthday soon", "まもなく誕生日"),
    "anniversary": ("anniversary soon", "まもなく利用開始の記念日"),
    "stopped_category": ("category no longer bought", "購入が止まったカテゴリ"),
    "unused_feature": ("feature not used yet", "まだ使っていない機能"),
    "next_category": ("category to suggest next", "次に薦めたいカテゴリ"),
    "favourite_category": ("favourite category", "よく購入するカテゴリ"),
    "last_survey": ("survey answer", "アンケート回答"),
}

NO_RULE = -1
"""The place of the rule of a customer for whom there is none."""
NONE = "none"
"""No reason, no channel, no level."""
CHANNEL_WORDS = {
    "phone": "電話",
    "email": "メール",
    "app": "アプリ",
    "web": "Web",
    "store": "店舗",
    "chat": "チャット",
    "social": "SNS",
    "community": "コミュニティ",
}
"""The usual channels and their Japanese names; a project may have others."""
REFUSED_WORDS = {
    **CHANNEL_WORDS,
    "sms": "SMS",
    "post": "郵送",
    "line": "LINE",
    "all": "すべて",
    "other": "その他",
}
"""Channels that a customer refuses, as the Japanese list names them."""


def months_words(months: int, language: str) -> str:
    """So many months: 12 months, 12か月."""
    return in_language(language, f"{months} month{'' if months == 1 else 's'}", f"{months}か月")


def channel_words(channel: str | None, language: str) -> str:
    """A channel as people call it; names of one's own stay as they are."""
    name = channel or ""
    return in_language(language, name, REFUSED_WORDS.get(name, name))
