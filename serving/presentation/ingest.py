"""The receipts of an ingest as lines that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from features.catalog.display_names import in_language
from features.ingestion.receipt import Receipt
from serving.presentation.messages.catalog import translated


def receipt_lines(receipts: Sequence[Receipt], language: str) -> Iterator[str]:
    """One line for each source, then what to do about quarantined rows."""
    for receipt in receipts:
        yield in_language(language, _english, _japanese)(receipt)
        yield from (f"  {translated(note, language)}" for note in receipt.notes)
    if any(receipt.quarantined for receipt in receipts) and any(receipt.new for receipt in receipts):
        yield in_language(
            language,
            "`kizuna doctor` says why rows were quarantined.",
            "隔離した行の理由は `kizuna doctor` で確認できます。",
        )


def _english(receipt: Receipt) -> str:
    anonymous = f" ({receipt.without_customer:,} without a customer)" if receipt.without_customer else ""
    erased = f", {receipt.erased:,} of erased customers left out" if receipt.erased else ""
    return (
        f"{receipt.source}: {receipt.read:,} read, {receipt.new:,} new, "
        f"{receipt.already_there:,} already there, {receipt.corrected:,} corrected, "
        f"{receipt.quarantined:,} quarantined{anonymous}{erased}"
    )


def _japanese(receipt: Receipt) -> str:
    anonymous = f"（うち顧客なし {receipt.without_customer:,}行）" if receipt.without_customer else ""
    erased = f"、消去済みの顧客のため除外 {receipt.erased:,}行" if receipt.erased else ""
    return (
        f"{receipt.source}：読込 {receipt.read:,}行、新規 {receipt.new:,}行、"
        f"取込済み {receipt.already_there:,}行、訂正 {receipt.corrected:,}行、"
        f"隔離 {receipt.quarantined:,}行{anonymous}{erased}"
    )
