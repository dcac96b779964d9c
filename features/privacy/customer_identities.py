"""Who is who after the aliases of an ingest: names, keys that join others, and who stays erased."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from features.errors import DataError, shell_word
from features.ingestion.customer_moves import CustomerIdentities
from features.privacy.suppression_list import SuppressionList
from features.storage.customer_ids import CustomerAliases, Customers


def apply_aliases(
    customers: Customers, current: Mapping[str, str], erased: SuppressionList
) -> CustomerIdentities:
    """The customers under the newest id of each; one known under several keys keeps the first of them.

    An erased customer stays erased under every id: no alias of theirs is followed, and all their ids are put
    on the suppression list. Raises `DataError` where one of these ids still has events.
    """
    groups: dict[str, list[str]] = {}
    for old, new in current.items():
        groups.setdefault(new, [new]).append(old)
    names, superseded = customers.vocabulary.texts, dict(customers.aliases.superseded)
    renamed: dict[int, str | None] = {}
    owned: dict[int, list[int]] = {}
    for gone, now in superseded.items():
        owned.setdefault(now, []).append(gone)
    moves: dict[int, int] = {}
    followed: dict[str, str] = {}
    every = [name for group in groups.values() for name in group]
    codes = iter(customers.vocabulary.codes(pa.array(every, pa.string())).tolist())
    for new, group in groups.items():
        keys = {name: key for name in group if (key := next(codes)) >= 0}
        if _stays_erased(group, keys, erased):
            continue
        followed.update(dict.fromkeys(group[1:], new))
        if not keys or list(keys) == [new]:
            continue
        only = min(keys.values())
        for key in keys.values():
            moves[key], renamed[key] = only, None
            if key != only:
                superseded |= dict.fromkeys((*owned.get(key, ()), key), only)
        renamed[only] = new
    if renamed:
        texts = names.to_pylist()
        for key, name in renamed.items():
            texts[key] = name
        names = pa.array(texts, pa.large_string())
    known = Customers(names, CustomerAliases(followed, superseded))
    return CustomerIdentities(known, customers, moves)


def _stays_erased(group: list[str], keys: Mapping[str, int], erased: SuppressionList) -> bool:
    """Whether one of a customer's ids was erased; then all of them are from now on."""
    gone = [name for name in group if name in erased]
    if not gone:
        return False
    if keys:
        live = next(iter(keys))
        raise DataError(
            f"cannot follow the aliases: '{gone[0]}' was erased and is the same customer as '{live}', who "
            f"has events. Run `kizuna erase {shell_word(live)}` to erase them too, "
            f"`kizuna readmit {shell_word(gone[0])}` if the erasure was withdrawn, or take the row out of "
            "the query of [[aliases]].",
            field="old_id",
        )
    erased.add_linked(group)
    return True
