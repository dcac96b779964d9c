"""The sentences of the model card, in English and in Japanese."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from features.catalog.display_names import kind_words
from training.bundle.list_policy import list_metric
from training.registry.model_card.contacts import contacts_in_english, contacts_in_japanese
from training.registry.model_card.figures import Writer
from training.registry.model_card.html import Section
from training.registry.model_card.level import level_in_english, level_in_japanese

BY_VALUE = list_metric("value_at_risk")
"""Where the metrics of the list by value at risk begin; the plain names are those by probability."""
AS_BEFORE = "value/as_before/rank_correlation"
"""How well the spending before orders that of the horizon; not a number without any before."""


class English(Writer):
    def question(self) -> str:
        """What is predicted of whom."""
        churn = self.bundle.churn
        days, lead = churn.horizon.days, churn.horizon.lead_days
        after = (
            f"the {days} days " + (f"that begin {lead} days after" if lead else "from") + " the as-of date"
        )
        if churn.type == "contract":
            return f"the probability that a running contract ends ({_either(churn.ended_by)}) in {after}"
        return (
            f"the probability of no {_either(churn.started_by)} in {after}, for customers with one in the "
            f"{churn.active_days} days before"
        )

    def tested(self) -> str:
        return (
            f"Judged on {self.number('test_rows')} rows of {self.number('test_customers')} customers, "
            f"{self.number('test_churners')} of whom left. Intervals are 95%, customers resampled."
        )

    def listed(self) -> Iterator[str]:
        """What the list would have done."""
        if "precision_at_capacity" in self.figures:
            yield (
                f"Of the {self.bundle.settings.get('contacts', 0):,} most likely to leave "
                f"{self.share('precision_at_capacity')} left: "
                f"{self.interval('lift_at_capacity', 1)} times as many as of a list at random."
            )
        if "leavers_reached" in self.figures:
            yield (
                f"{self.share('leavers_reached')} of those who left were among them on some test date, "
                f"{self.share('leavers_reached_in_time')} while they were still coming."
            )
        if "lead_days" in self.figures:
            side = "before" if self.figures["lead_days"] >= 0 else "after"
            yield (
                f"They were first listed {abs(self.figures['lead_days']):.1f} days {side} the last thing "
                f"they did (median; 95% interval {self.lead(' before', ' after')})."
            )
        if "list_stability" in self.figures:
            yield f"{self.share('list_stability')} of a list stood on the one before."
        if f"{BY_VALUE}/precision_at_capacity" in self.figures:
            contacts = self.bundle.settings.get("contacts", 0)
            reached, in_time, stable = (
                self.share(f"{BY_VALUE}/{name}")
                for name in ("leavers_reached", "leavers_reached_in_time", "list_stability")
            )
            yield (
                f"The list people see is ordered by value at risk: of its first {contacts:,} "
                f"{self.share(f'{BY_VALUE}/precision_at_capacity')} left, "
                f"{self.interval(f'{BY_VALUE}/lift_at_capacity', 1)} times as many as of a list at random. "
                f"{reached} of those who left were on it on some test date, {in_time} while they were still "
                f"coming; {stable} of it stood on the one before."
            )

    def verdict(self) -> Iterator[str]:
        if self.decision is not None:
            yield "Became the champion." if self.decision.promoted else "Did not become the champion."
            yield from filter(None, self.decision.compared[:1])
            yield from self.decision.refusals
            yield from self.decision.warnings

    def sections(self) -> Iterator[Section]:
        bundle, figures, churn = self.bundle, self.figures, self.bundle.churn
        question = self.question()
        yield Section(
            "What it says",
            (
                f"{question[0].upper()}{question[1:]}.",
                f"Exactly: {churn.definition}.",
                f"The engagement tier of the next {churn.horizon.days} days "
                f"({', '.join(self.tier_names())})"
                + (", and what the customer would spend if they stayed." if bundle.models.value else "."),
                "For deciding whom to approach first; not for prices, credit or anything a person is denied.",
            ),
        )
        yield Section(
            "What it learned from",
            (
                f"Events until {self.trained}, data version {bundle.data_version}, "
                f"code version {bundle.code_version}.",
                f"{self.counted('events')} events of {self.counted('customers')} customers, "
                f"{len(bundle.catalog.columns)} features.",
                f"As-of dates that taught: {self.span('fit')}; that calibrated: {self.span('calibrate')}; "
                f"that judged: {self.span('test')}.",
                *contacts_in_english(bundle),
            ),
        )
        yield Section(
            "How good it is",
            (self.tested(),),
            self.quality(0, ("", "this model")),
            self.contest("this model"),
        )
        listed = tuple(self.listed())
        if listed:
            yield Section("What the list does", listed)
        noise = self.interval("expected_calibration_error_noise", 4)
        table, charts = self.tiers(("tier today", "said", "happened"))
        yield Section(
            "Are the probabilities right?",
            (
                f"{figures.get('mean_probability', 0.0):.1%} were expected to leave and "
                f"{bundle.base_rate:.1%} did.",
                f"A perfectly calibrated model would show a calibration error of {noise} at this size.",
                *level_in_english(bundle),
            ),
            table,
            charts,
        )
        more = tuple(self.more())
        if more:
            yield Section("Tier and value", more)
        yield Section("Where not to trust it", tuple(self.limits()))
        if self.decision is not None:
            yield Section("Decision", tuple(self.verdict()))

    def more(self) -> Iterator[str]:
        if "tier/kappa" in self.figures:
            kappa, loss = (self.interval(f"tier/unchanged/{name}", 3) for name in ("kappa", "log_loss"))
            yield (
                f"Next tier: weighted kappa {self.interval('tier/kappa', 3)}, log loss "
                f"{self.interval('tier/log_loss', 3)}; if every tier stayed as it is: {kappa} and {loss}."
            )
        if "value/rank_correlation" in self.figures:
            known = AS_BEFORE in self.figures and not math.isnan(self.figures[AS_BEFORE])
            yield (
                f"Value: the total foreseen is {self.interval('value/total_ratio', 3)} times what was spent, "
                f"the rank correlation {self.interval('value/rank_correlation', 3)}"
                + (f"; if everybody spent as before: {self.interval(AS_BEFORE, 3)}." if known else ".")
            )

    def limits(self) -> Iterator[str]:
        if self.bundle.evidence == "low":
            yield (
                "Evidence is low: there are too few dates, or too few customers who left or stayed, to judge "
                "it on later dates than those that taught."
            )
        yield "A reason says what the model reads, not what would happen if it were changed."
        yield "It knows nothing of a season, a price or a rival that its history does not hold."
        yield "Customers who had already left, or who never started, get no probability."


class Japanese(Writer):
    place = 1

    def question(self) -> str:
        churn = self.bundle.churn
        days = churn.horizon.days
        started, ended = (
            "・".join(kind_words(kind).ja for kind in kinds) for kinds in (churn.started_by, churn.ended_by)
        )
        return (
            f"{started}が{days}日間ないこと（直近{churn.active_days}日に実績のある顧客が対象）"
            if churn.type == "inactivity"
            else f"契約中の顧客に{days}日以内に{ended}が発生すること"
        )

    def listed(self) -> Iterator[str]:
        if "precision_at_capacity" in self.figures:
            yield (
                f"離反確率の上位{self.bundle.settings.get('contacts', 0):,}名のうち"
                f"{self.share('precision_at_capacity')}が離反。無作為に選ぶ場合の"
                f"{self.interval('lift_at_capacity', 1)}倍です。"
            )
        if "leavers_reached" in self.figures:
            yield (
                f"離反した顧客の{self.share('leavers_reached')}が評価日のいずれかでこの上位に入り、"
                f"{self.share('leavers_reached_in_time')}は最後の利用より前に入っていました。"
            )
        if "lead_days" in self.figures:
            side = "前" if self.figures["lead_days"] >= 0 else "後"
            yield (
                f"初めてリストに載った時点は、中央値で最後の利用の{abs(self.figures['lead_days']):.1f}日{side}"
                f"（95%区間：{self.lead('前', '後')}）です。"
            )
        if "list_stability" in self.figures:
            yield f"リストの{self.share('list_stability')}は前回のリストにも載っていた顧客です。"
        if f"{BY_VALUE}/precision_at_capacity" in self.figures:
            yield (
                f"実際に表示されるリストはリスク金額の順です。その上位"
                f"{self.bundle.settings.get('contacts', 0):,}名では"
                f"{self.share(f'{BY_VALUE}/precision_at_capacity')}が離反（無作為に選ぶ場合の"
                f"{self.interval(f'{BY_VALUE}/lift_at_capacity', 1)}倍）。離反した顧客の"
                f"{self.share(f'{BY_VALUE}/leavers_reached')}が評価日のいずれかで載り、"
                f"{self.share(f'{BY_VALUE}/leavers_reached_in_time')}は最後の利用より前に載っていました。"
                f"{self.share(f'{BY_VALUE}/list_stability')}は前回のリストにも載っていた顧客です。"
            )

    def sections(self) -> Iterator[Section]:
        bundle, figures, churn = self.bundle, self.figures, self.bundle.churn
        days = churn.horizon.days
        lead = (
            f"予測は基準日の{churn.horizon.lead_days}日後から始まります。" if churn.horizon.lead_days else ""
        )
        yield Section(
            "何を予測するか",
            (
                f"離反確率：{self.question()}。{lead}",
                f"次の{days}日間のエンゲージメント階層（{'・'.join(self.tier_names())}）"
                + ("と、継続した場合の購買金額。" if bundle.models.value else "。"),
                "用途は、優先して働きかける顧客を決めること。価格や与信など、顧客に不利益となる判断には使いません。",
            ),
        )
        yield Section(
            "学習データ",
            (
                f"{self.trained}までのイベント"
                f"（データ版 {bundle.data_version}、コード版 {bundle.code_version}）。",
                f"顧客{self.counted('customers')}名、イベント{self.counted('events')}件、"
                f"特徴量{len(bundle.catalog.columns)}個。",
                f"基準日：学習 {self.span('fit')}、確率の補正 {self.span('calibrate')}、"
                f"評価 {self.span('test')}。",
                *contacts_in_japanese(bundle),
            ),
        )
        yield Section(
            "精度",
            (
                f"評価対象は{self.number('test_customers')}名・{self.number('test_rows')}行で、"
                f"うち{self.number('test_churners')}名が離反。括弧内は顧客単位の再抽出による95%区間。",
            ),
            self.quality(1, ("", "このモデル")),
            self.contest("このモデル"),
        )
        listed = tuple(self.listed())
        if listed:
            yield Section("リストの効果", listed)
        noise = self.interval("expected_calibration_error_noise", 4)
        table, charts = self.tiers(("現在の階層", "予測", "実績"))
        yield Section(
            "確率は正しいか",
            (
                f"予測では平均{figures.get('mean_probability', 0.0):.1%}、"
                f"実際の離反率は{bundle.base_rate:.1%}。",
                f"この件数では、完全に正しいモデルでもキャリブレーション誤差は{noise}程度になります。",
                *level_in_japanese(bundle),
            ),
            table,
            charts,
        )
        more = tuple(self.more())
        if more:
            yield Section("階層と金額", more)
        yield Section("利用上の注意", tuple(self.limits()))
        if self.decision is not None:
            verdict = (
                "本番モデルに採用しました。" if self.decision.promoted else "本番モデルには採用していません。"
            )
            how = filter(None, self.decision.compared[1:])
            yield Section("採否", (verdict, *how, *self.decision.japanese))

    def more(self) -> Iterator[str]:
        if "tier/kappa" in self.figures:
            kappa, loss = (self.interval(f"tier/unchanged/{name}", 3) for name in ("kappa", "log_loss"))
            yield (
                f"次の階層：重み付きカッパ係数{self.interval('tier/kappa', 3)}、対数損失"
                f"{self.interval('tier/log_loss', 3)}。現状維持とみなす場合は{kappa}と{loss}。"
            )
        if "value/rank_correlation" in self.figures:
            known = AS_BEFORE in self.figures and not math.isnan(self.figures[AS_BEFORE])
            yield (
                f"購買金額：予測の合計は実績の{self.interval('value/total_ratio', 3)}倍、順位相関は"
                f"{self.interval('value/rank_correlation', 3)}。"
                + (f"直前の期間と同じとみなす場合は{self.interval(AS_BEFORE, 3)}。" if known else "")
            )

    def limits(self) -> Iterator[str]:
        if self.bundle.evidence == "low":
            yield (
                "根拠は限定的です：日付の数、または離反・継続した顧客の数が足りず、"
                "学習より後の日付で評価できていません。"
            )
        yield "理由はモデルが着目した点であり、それを変えれば結果が変わることを保証するものではありません。"
        yield "履歴に現れていない季節性、価格改定、競合の動きは考慮されません。"
        yield "すでに離反した顧客、まだ利用を始めていない顧客には確率を付けません。"


def _either(kinds: Sequence[str]) -> str:
    return " or ".join(kind_words(kind).one for kind in kinds)
