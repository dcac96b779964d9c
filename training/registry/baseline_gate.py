"""The model against a logistic regression on RFM: whether the test shows that it ranks customers better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from training.registry.bilingual_message import BilingualMessage
from training.statistics import Verdict, verdict


def against_rfm(figures: Mapping[str, float]) -> Verdict:
    """What the 95 % interval of the difference in AUC, model − regression, says of the model."""
    low, high = (figures.get(f"difference/rfm/auc_{end}", math.nan) for end in ("low", "high"))
    return verdict(low, high)


def no_better_than_rfm(figures: Mapping[str, float]) -> Iterator[BilingualMessage]:
    """A warning where the interval holds 0 or lies below it."""
    found = against_rfm(figures)
    if found not in ("no_difference", "worse"):
        return
    auc, low, high = (figures[f"difference/rfm/auc{end}"] for end in ("", "_low", "_high"))
    interval = f"AUC {auc:+.3f}, 95% interval {low:+.3f} to {high:+.3f}"
    interval_ja = f"AUCの差{auc:+.3f}、95%信頼区間{low:+.3f}〜{high:+.3f}"
    if found == "worse":
        yield BilingualMessage(
            "rfm: a logistic regression on recency, frequency and amounts alone ranks the customers of the "
            f"test dates better than the model ({interval}): what else it reads misled it there. Look for "
            "sources or attributes that changed between the dates that taught and those that judged",
            "RFM：検証日では、最終購買日・頻度・金額（RFM）だけのロジスティック回帰の方がモデルより"
            f"順位付けに優れる（{interval_ja}）。ほかの情報が検証日には逆効果だった。学習した日付と検証した"
            "日付の間で変わったデータソースや属性がないか確認してください。",
        )
        return
    yield BilingualMessage(
        "rfm: the test does not show that the model ranks customers better than a logistic regression on "
        f"recency, frequency and amounts alone ({interval}, which holds 0). The list can be used; that it "
        "owes anything to the other data is not shown. More history tells more, and `kizuna compare` "
        "whether a feature or another source helps",
        "RFM：最終購買日・頻度・金額（RFM）だけのロジスティック回帰よりモデルの順位付けが優れているとは、"
        f"検証では言えない（{interval_ja}で0を含む）。リストは使えるが、ほかのデータの効果は確認できない。"
        "履歴が増えれば判定しやすくなり、特徴量やデータソースの効果は `kizuna compare` で確かめられる。",
    )
