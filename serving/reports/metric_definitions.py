"""Metric definitions as records: name in two languages, formula, source, required input and kind of interval.

A metric is Σy ÷ Σx over units (answers, orders, customers, posts). Units, y and x are computed in
`event_metrics`, `customer_metrics` and `social_metrics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["score", "share", "count", "days", "minutes", "amount", "ratio"]
Interval = Literal["wilson", "ratio", "none"]


@dataclass(frozen=True)
class RequiredInput:
    """An input: events of any of these kinds, or of an indicator, perhaps with a value or a detail."""

    kinds: tuple[str, ...] = ()
    indicator: str = ""
    """An indicator of the project; `churn started`, `contract started`: what makes a customer one."""
    value: str = ""
    """What the value must hold, empty where it need hold nothing."""
    detail: str = ""


@dataclass(frozen=True)
class MetricDefinition:
    """The definition of one metric, and whose definition it is."""

    name: str
    english: str
    japanese: str
    unit: Unit
    interval: Interval
    formula: str
    formula_ja: str
    source: str
    needs: tuple[RequiredInput, ...]
    cuts: tuple[str, ...] = ()
    """Besides segments: `channel`, `place`, `detail`."""
    falling_is_good: bool = False


REICHHELD = "Reichheld, F. F. (2003), The One Number You Need to Grow, Harvard Business Review 81(12), 46–54"
FARRIS = "Farris, P. W. et al. (2010), Marketing Metrics, 2nd ed., Wharton School Publishing"
ISO = "ISO 10004:2018, Customer satisfaction: guidelines for monitoring and measuring"
MASB = "MASB/AMA Common Language Marketing Dictionary (marketing-dictionary.org)"
HDI = "ICMI/HDI contact-centre metrics: contact rate, speed of answer, self-service"
DAU = "Rodden, K., Hutchinson, H., Fu, X. (2010), Measuring the user experience on a large scale (HEART), CHI"
REACH = "Engagement rate by reach (ERR): engagements ÷ reach of the post, as in Meta and Hootsuite reporting"
NIELSEN = "Nielsen, J. (2006), Participation inequality; community participation as in CMX reports"
SAAS = "SaaS Metrics Standards Board (saasmetricsboard.com): customer and revenue retention"

PURCHASE = RequiredInput(indicator="purchase")
USAGE = RequiredInput(indicator="usage")
INQUIRY = RequiredInput(indicator="inquiry")
CONTENT = RequiredInput(indicator="content")
STARTED = RequiredInput(indicator="contract started")
CUSTOMER = RequiredInput(indicator="churn started")
REACTIONS = ("like", "comment", "share")

MEASURES = (
    MetricDefinition(
        "active_customers", "Active customers", "アクティブ顧客数", "count", "none",
        "customers with at least one event of their own doing (surveys and refunds are none)",
        "期間中に本人の行動（アンケート回答と返品を除く）が1件以上あった顧客の数",
        DAU, (),
    ),
    MetricDefinition(
        "nps", "NPS", "NPS（推奨度）", "score", "ratio",
        "share of answers 9–10 (promoters) less share of answers 0–6 (detractors), × 100",
        "推奨者（9〜10点）の割合 − 批判者（0〜6点）の割合（×100）",
        REICHHELD, (RequiredInput(("nps",), value="the answer from 0 to 10"),),
        ("channel", "place", "detail"),
    ),
    MetricDefinition(
        "csat", "CSAT", "顧客満足度（CSAT）", "share", "wilson",
        "answers 4–5 ÷ all answers, on a scale of 1 to 5",
        "5段階評価で4〜5と回答した件数 ÷ 全回答数",
        ISO, (RequiredInput(("csat",), value="the answer from 1 to 5"),), ("channel", "place", "detail"),
    ),
    MetricDefinition(
        "repeat_rate", "Repeat rate", "リピート率", "share", "wilson",
        "customers with at least two purchases in the period ÷ customers with at least one",
        "期間中に2回以上購入した顧客 ÷ 1回以上購入した顧客",
        FARRIS, (PURCHASE,), ("channel", "place"),
    ),
    MetricDefinition(
        "retention_rate", "Retention rate", "継続率", "share", "wilson",
        "customers at the start of the period who still are at its end ÷ customers at its start",
        "期首の顧客のうち期末も顧客である人数 ÷ 期首の顧客数",
        SAAS, (CUSTOMER,),
    ),
    MetricDefinition(
        "churn_rate", "Churn rate", "離反率（解約率）", "share", "wilson",
        "customers at the start of the period who no longer are at its end ÷ customers at its start",
        "期首の顧客のうち期末までに離反した人数 ÷ 期首の顧客数",
        SAAS, (CUSTOMER,), falling_is_good=True,
    ),
    MetricDefinition(
        "churned_value_rate", "Churn rate by value", "離反率（金額ベース）", "share", "ratio",
        "value of the customers lost in the period ÷ value of the customers at its start; the value is the "
        "recurring amount of the contract, or, without contracts, the purchases of the active days before",
        "期中に離反した顧客の期首時点の金額 ÷ 期首の全顧客の金額"
        "（契約は月額・年額、契約がなければ判定期間内の購買金額）",
        SAAS, (CUSTOMER,), falling_is_good=True,
    ),
    MetricDefinition(
        "active_days", "Active days per user", "利用日数（利用者1人あたり）", "days", "ratio",
        "different local days with use of site or app ÷ customers who used it",
        "サイト・アプリを利用した延べ日数 ÷ 利用した顧客数",
        DAU, (USAGE,), ("channel",),
    ),
    MetricDefinition(
        "active_minutes", "Minutes per user", "利用時間（利用者1人あたり・分）", "minutes", "ratio",
        "minutes of use of site or app ÷ customers who used it",
        "サイト・アプリの利用時間の合計（分） ÷ 利用した顧客数",
        DAU, (RequiredInput(indicator="usage", value="minutes"),), ("channel",),
    ),
    MetricDefinition(
        "feature_breadth", "Features per user", "利用機能数（利用者1人あたり）", "count", "ratio",
        "different features used ÷ customers who used any",
        "利用した機能の種類数の合計 ÷ 機能を1つ以上利用した顧客数",
        DAU, (RequiredInput(indicator="usage", detail="the feature"),), ("channel",),
    ),
    MetricDefinition(
        "inquiries_per_100", "Inquiries per 100 customers", "問い合わせ件数（顧客100人あたり）",
        "count", "ratio",
        "inquiries × 100 ÷ active customers; by channel, agent and topic, of all active customers",
        "問い合わせ件数 × 100 ÷ アクティブ顧客数（チャネル・担当・用件別も分母は全アクティブ顧客）",
        HDI, (INQUIRY,), ("channel", "place", "detail"), falling_is_good=True,
    ),
    MetricDefinition(
        "answer_minutes", "Minutes to answer", "問い合わせの平均回答時間（分）", "minutes", "ratio",
        "minutes to answer ÷ answered inquiries",
        "回答までの時間の合計（分） ÷ 回答済みの問い合わせ件数",
        HDI, (RequiredInput(indicator="inquiry", value="minutes to answer"),), ("channel", "place", "detail"),
        falling_is_good=True,
    ),
    MetricDefinition(
        "answered_rate", "Answered within a day", "24時間以内の回答率", "share", "wilson",
        "inquiries answered within 24 hours ÷ all inquiries; one without an answer is not answered",
        "24時間以内に回答した件数 ÷ 全問い合わせ件数（未回答は回答なしとして分母に含む）",
        HDI, (RequiredInput(indicator="inquiry", value="minutes to answer"),), ("channel", "place", "detail"),
    ),
    MetricDefinition(
        "self_service_rate", "Self-service before an inquiry", "問い合わせ前の自己解決行動率",
        "share", "wilson",
        "inquiries before which the same customer used articles, FAQ, tutorials or the chatbot within 7 days "
        "÷ all inquiries",
        "直前7日間に記事・FAQ・チュートリアル・チャットボットを利用していた問い合わせ ÷ 全問い合わせ",
        HDI, (INQUIRY, CONTENT), ("channel", "detail"),
    ),
    MetricDefinition(
        "community_participation", "Community participation", "コミュニティ参加率", "share", "wilson",
        "customers with any community post, reply or event ÷ active customers",
        "コミュニティに投稿・返信・イベント参加した顧客 ÷ アクティブ顧客数",
        NIELSEN, (RequiredInput(indicator="community"),),
    ),
    MetricDefinition(
        "social_engagement_rate", "Social engagement rate", "SNSエンゲージメント率", "share", "ratio",
        "likes, comments and shares ÷ reach, over all posts whose reach is known and above zero",
        "いいね・コメント・シェアの合計 ÷ リーチの合計（リーチが判明している投稿のみ）",
        REACH, (RequiredInput(REACTIONS, value="the reach of the post", detail="the post"),), ("detail",),
    ),
    MetricDefinition(
        "social_engagement_per_post", "Social engagement rate per post", "SNSエンゲージメント率（投稿平均）",
        "share", "ratio",
        "mean over posts of likes, comments and shares ÷ reach",
        "投稿ごとの（いいね・コメント・シェア ÷ リーチ）の平均",
        REACH, (RequiredInput(REACTIONS, value="the reach of the post", detail="the post"),),
    ),
    MetricDefinition(
        "mentions_per_100", "Mentions per 100 customers", "SNSでの言及（顧客100人あたり）", "count", "ratio",
        "mentions × 100 ÷ active customers", "言及の件数 × 100 ÷ アクティブ顧客数",
        MASB, (RequiredInput(("mention",)),),
    ),
    MetricDefinition(
        "customer_posts_per_100", "Posts by customers per 100", "顧客による投稿（顧客100人あたり）",
        "count", "ratio",
        "posts by customers about the service × 100 ÷ active customers",
        "顧客が発信した投稿（UGC）の件数 × 100 ÷ アクティブ顧客数",
        MASB, (RequiredInput(("ugc_post",)),),
    ),
    MetricDefinition(
        "response_rate", "Response rate to campaigns", "施策反応率", "share", "wilson",
        "customers contacted by a campaign who responded to it within the same period ÷ customers contacted, "
        "over all campaigns",
        "施策に反応した件数 ÷ 施策の対象となった件数（顧客×施策、同じ期間内の反応）",
        FARRIS,
        (
            RequiredInput(indicator="campaign", detail="the campaign"),
            RequiredInput(indicator="response", detail="the campaign"),
        ),
        ("channel",),
    ),
    MetricDefinition(
        "referral_rate", "Referral rate", "紹介率", "share", "wilson",
        "customers who referred somebody ÷ active customers",
        "紹介をした顧客 ÷ アクティブ顧客数",
        FARRIS, (RequiredInput(("referral_made",)),),
    ),
    MetricDefinition(
        "order_value", "Order value", "平均購買単価（1回あたり）", "amount", "ratio",
        "amounts of purchases ÷ purchases; refunds are none",
        "購買金額の合計 ÷ 購買回数（返品・返金は含まない）",
        FARRIS, (RequiredInput(indicator="purchase", value="the amount"),), ("channel", "place"),
    ),
    MetricDefinition(
        "categories_per_customer", "Categories per customer", "購買カテゴリ数（購買者1人あたり）",
        "count", "ratio",
        "different categories bought ÷ customers who bought",
        "購買したカテゴリの種類数の合計 ÷ 購買した顧客数",
        FARRIS, (RequiredInput(indicator="purchase", detail="the category"),), ("channel", "place"),
    ),
    MetricDefinition(
        "upgrade_rate", "Upgrade rate", "アップグレード率", "share", "wilson",
        "customers with a contract at the start of the period who upgraded in it ÷ customers with one",
        "期首の契約者のうち期中に上位プランへ変更した人数 ÷ 期首の契約者数",
        SAAS, (STARTED, RequiredInput(("upgraded",))),
    ),
    MetricDefinition(
        "value_per_customer", "Value per customer", "顧客単価（アクティブ顧客1人あたり）", "amount", "ratio",
        "amounts of purchases less refunds ÷ active customers",
        "購買金額の合計（返品・返金を差引） ÷ アクティブ顧客数",
        FARRIS, (RequiredInput(indicator="purchase", value="the amount"),),
    ),
    MetricDefinition(
        "tier_share", "Tier share", "エンゲージメント階層の構成比", "share", "wilson",
        "customers in a tier at the end of the period ÷ all customers then, by the tiers of the champion",
        "期末時点の各階層の顧客数 ÷ 期末の全顧客数（採用中モデルの階層基準）",
        "Kizuna: engagement index of the champion model (docs/architecture.md)", (), ("tier",),
    ),
)  # fmt: skip

BY_NAME = {measure.name: measure for measure in MEASURES}

REASONS = {
    "off_scale": ("answers outside the scale", "尺度外の回答"),
    "no_value": ("without a value", "値のないもの"),
    "no_reach": ("reactions to a post whose reach is not known", "リーチ不明の投稿への反応"),
    "zero_reach": ("reactions to a post with a reach of 0", "リーチが0の投稿への反応"),
    "no_answer": ("inquiries without an answer", "未回答の問い合わせ"),
}
"""What is not counted in a measure."""
