"""The receipts of an ingest as lines that people read, with the reasons why rows were quarantined."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from features.catalog.display_names import in_language
from features.ingestion.receipt import Receipt, RefusalReason
from serving.presentation.messages.catalog import translated

LONGEST = 200
"""Characters of a row that are shown."""


def receipt_lines(receipts: Sequence[Receipt], language: str) -> Iterator[str]:
    """One line for each source that was stored, why rows of it were quarantined, and where to look on."""
    for receipt in receipts:
        if receipt.refused is not None:
            continue
        yield in_language(language, _english, _japanese)(receipt)
        yield from (f"  {translated(note, language)}" for note in receipt.notes)
        if receipt.several_rows:
            yield in_language(
                language,
                f"  event ids with several rows: {receipt.several_rows:,}",
                f"  複数の行がある event_id：{receipt.several_rows:,}件",
            )
        if receipt.quarantined_amount:
            share = f"{receipt.quarantined_amount:.2%}"
            yield in_language(
                language, f"  of the amount in quarantine: {share}", f"  隔離した行の金額の割合：{share}"
            )
        for refused in receipt.reasons:
            yield from _reason_lines(refused, language)
    if any(receipt.quarantined for receipt in receipts) and any(receipt.new for receipt in receipts):
        yield in_language(
            language,
            "`kizuna doctor` says which rows are in quarantine.",
            "隔離されている行は `kizuna doctor` で確認できます。",
        )


def _english(receipt: Receipt) -> str:
    anonymous = f" ({receipt.without_customer:,} without a customer)" if receipt.without_customer else ""
    erased = f", {receipt.erased:,} of erased customers left out" if receipt.erased else ""
    gone = f", {receipt.taken_out:,} of earlier ingests taken out" if receipt.taken_out else ""
    waited = f", {receipt.retried:,} had waited for their moment" if receipt.retried else ""
    return (
        f"{receipt.source}: {receipt.read:,} read, {receipt.new:,} new, "
        f"{receipt.already_there:,} already there, {receipt.corrected:,} corrected, "
        f"{receipt.quarantined:,} quarantined{anonymous}{erased}{gone}{waited}"
    )


def _japanese(receipt: Receipt) -> str:
    anonymous = f"（うち顧客なし {receipt.without_customer:,}行）" if receipt.without_customer else ""
    erased = f"、消去済みの顧客のため除外 {receipt.erased:,}行" if receipt.erased else ""
    gone = f"、以前の取込分から削除 {receipt.taken_out:,}行" if receipt.taken_out else ""
    waited = f"、日時の到来を待っていた行 {receipt.retried:,}行" if receipt.retried else ""
    return (
        f"{receipt.source}：読込 {receipt.read:,}行、新規 {receipt.new:,}行、"
        f"取込済み {receipt.already_there:,}行、訂正 {receipt.corrected:,}行、"
        f"隔離 {receipt.quarantined:,}行{anonymous}{erased}{gone}{waited}"
    )


def _reason_lines(refused: RefusalReason, language: str) -> Iterator[str]:
    reason = translated(refused.reason, language)
    rows, example, other = in_language(
        language,
        (f"{refused.rows:,} quarantined: ", "for example ", "against     "),
        (f"隔離 {refused.rows:,}行：", "例：", "矛盾："),
    )
    yield f"  {rows}{reason}"
    yield f"    {example}{_shown(refused.example)}"
    if refused.other is not None:
        yield f"    {other}{_shown(refused.other)}"


def _shown(row: str) -> str:
    """The fields of a row that say something, cut where they are long."""
    said = {name: value for name, value in json.loads(row).items() if value is not None}
    text = json.dumps(said, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
