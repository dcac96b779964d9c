"""What the model card says of contacts: learned as they were, or without them, and from which rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from features.catalog.display_names import kind_words

if TYPE_CHECKING:
    from training.bundle.model_bundle import Bundle


def contacts_in_english(bundle: Bundle) -> Iterator[str]:
    """Which risk was learned, and the rows that were left out and weighted."""
    if bundle.contacts == "as_they_were":
        yield (
            "Contacts as they were: whom a contact kept counts as one who stayed, so the probability is the "
            "risk under contacts like those of the past."
        )
        return
    facts = bundle.settings["without_contact"]
    yield (
        "Without contact: the probability is the risk if no campaign contacts the customer. The rows of "
        f"treatment arms whose campaign ran within their label are left out: {facts['left_out']:,} rows of "
        f"{facts['campaigns']:,} campaigns. {facts['control_rows']:,} rows of {facts['control_customers']:,} "
        "control customers stand for them, each weighted by 1 ÷ (probability of control)."
    )
    yield (
        f"{facts['rows']:,} rows remain; with these weights they say as much as "
        f"{facts['effective_rows']:,.0f} rows that count once. Churn, tier and value learn from the same "
        "rows, and every figure here is weighted in the same way."
    )
    yield "The calibration was fitted on " + (
        "control customers alone."
        if facts["calibrated_on"] == "control"
        else "all weighted rows: control customers alone are too few, or too small a part."
    )
    others = facts["other_contacts"]
    if others:
        listed = ", ".join(f"{kind_words(kind).many} {count:,}" for kind, count in others.items())
        yield (
            "Contacts that no campaign assigned at random cannot be corrected: they are learned as they "
            f"were. Rows that remain and have such a contact within their label: {listed}."
        )


def contacts_in_japanese(bundle: Bundle) -> Iterator[str]:
    """The same in Japanese."""
    if bundle.contacts == "as_they_were":
        yield (
            "接触の扱い：実績どおり。接触によって継続した顧客も「継続」として学習しているため、"
            "確率は従来と同様の接触を続けた場合のリスクです。"
        )
        return
    facts = bundle.settings["without_contact"]
    yield (
        "接触の扱い：接触なし。確率は、施策で接触しない場合のリスクです。予測期間が施策の期間と重なる施策群の"
        f"{facts['left_out']:,}行（{facts['campaigns']:,}施策）を除き、対照群{facts['control_customers']:,}名の"
        f"{facts['control_rows']:,}行を「1÷対照群となる確率」で重み付けしています。"
    )
    yield (
        f"残りは{facts['rows']:,}行で、重みを考慮した実質の行数は{facts['effective_rows']:,.0f}行です。"
        "離反・階層・金額のモデルは同じ行から学習し、評価の数値も同じ重みで計算しています。"
    )
    yield (
        "確率の補正には対照群の顧客だけを使いました。"
        if facts["calibrated_on"] == "control"
        else "対照群だけでは人数または割合が足りないため、確率の補正には重み付きの全行を使いました。"
    )
    others = facts["other_contacts"]
    if others:
        listed = "、".join(f"{kind_words(kind).ja} {count:,}行" for kind, count in others.items())
        yield (
            "無作為に割り付けていない接触は補正できず、実績どおりに学習しています。"
            f"残った行のうち予測期間内にそうした接触があるもの：{listed}。"
        )
