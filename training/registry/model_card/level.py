"""The sentences of the model card on how far the number of leavers may lie off."""

from __future__ import annotations

from collections.abc import Iterator

from training.bundle.model_bundle import Bundle


def level_in_english(bundle: Bundle) -> Iterator[str]:
    """How far past levels missed, and what that means for the next."""
    if not 0.0 < bundle.base_rate < 1.0:
        return
    low, high = (f"{end:.1%}" for end in bundle.level.share_interval(bundle.base_rate))
    known = (
        f"from how far past levels missed ({bundle.level.misses} horizons)"
        if bundle.level.misses
        else "from what is usual elsewhere, because no past level can be checked yet"
    )
    yield (
        f"How many leave moves from date to date: where {bundle.base_rate:.1%} are expected, {low} to {high} "
        f"are likely (80% interval, {known})."
    )


def level_in_japanese(bundle: Bundle) -> Iterator[str]:
    """The same in Japanese."""
    if not 0.0 < bundle.base_rate < 1.0:
        return
    low, high = (f"{end:.1%}" for end in bundle.level.share_interval(bundle.base_rate))
    known = (
        f"過去{bundle.level.misses}期間の予測と実績の差から算出"
        if bundle.level.misses
        else "過去の実績と比べられないため、他のデータでの一般的な差から算出"
    )
    yield (
        f"離反率は時期によって変わります。予測が{bundle.base_rate:.1%}のとき、実際は{low}〜{high}になると"
        f"見込まれます（80%区間、{known}）。"
    )
