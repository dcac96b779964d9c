"""The `kizuna.toml` that is proposed for one's own files, with what each column was taken for in comments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.project.proposal.consent_columns import ConsentColumn
from serving.project.proposal.data_files import find_tables
from serving.project.proposal.proposed_source import ProposedSource, propose, quoted
from serving.project.settings_blocks import ANALYTICS, CAPACITY, JAPANESE, PLAIN, SHOP, commented, toml_text

ROLES = {
    "customer": ("customer", "顧客"),
    "moment": ("moment", "日時"),
    "time": ("time of day", "時刻"),
    "amount": ("amount", "金額"),
    "number": ("order number", "注文番号"),
    "kind": ("kind", "種別"),
    "state": ("state of the order", "ステータス"),
    "cancelled_at": ("cancelled at", "取消日時"),
    "place": ("place", "店舗"),
    "channel": ("channel", "チャネル"),
    "detail": ("detail", "商品・内容"),
    "known_at": ("known since", "有効になった日"),
}


def proposed_project(
    patterns: Sequence[str], folder: Path, language: str, now: int
) -> tuple[str, tuple[ProposedSource, ...]]:
    """A `kizuna.toml` for `folder` over the files of these patterns, and what was found in them.

    Raises `ConfigurationError` where no file is there or one cannot be read.
    """
    timeline = Timeline("Asia/Tokyo" if in_language(language, "", "ja") else "UTC")
    sources = tuple(propose(table, folder, timeline, now) for table in find_tables(patterns, folder))
    amounts = any(source.roles.amount for source in sources if source.ready)
    head = in_language(
        language,
        "# Proposed by `kizuna init` from the first rows of your files: check how each column is read.",
        "# `kizuna init` がファイルの先頭の行から作った案です。各列の読み方が合っているか確認してください。",
    )
    names: list[str] = []
    parts = [head, JAPANESE if in_language(language, "", "ja") else PLAIN]
    for source in sources:
        name = _unused(source.table.name, names)
        names.append(name)
        parts.append(_source(source, name, language))
    parts += _attributes(sources)
    return "\n".join(
        [*parts, *(commented(block, language) for block in (SHOP if amounts else ANALYTICS, CAPACITY))]
    ), sources


def _source(source: ProposedSource, name: str, language: str) -> str:
    block = [
        "[[sources]]",
        f"name = {json.dumps(name, ensure_ascii=False)}",
        f"query = {toml_text(source.query)}",
    ]
    lines = [f"# {line}" for line in _told(source, language)]
    if source.ready:
        return "\n".join([*lines, *block, ""])
    written = "\n".join(block).splitlines() if source.query else []
    return "\n".join([*lines, *(f"# {line}".rstrip() for line in written), ""])


def _told(source: ProposedSource, language: str) -> list[str]:
    """What a table's columns were taken for, and its first rows as they would be read."""
    table = source.table
    told = [table.path]
    chosen = source.roles.chosen()
    told += [f"  {in_language(language, *ROLES[role])}: {column}" for role, column in chosen.items()]
    if source.roles.attributes:
        words = in_language(language, "known about the customer", "顧客の属性")
        told.append(f"  {words}: {', '.join(source.roles.attributes)}")
        if source.roles.known_at is None:
            told.append(
                in_language(
                    language,
                    "  No column says since when: name one that changes with them as known_at.",
                    "  いつから有効かの列がありません：変更日の列があれば known_at にしてください。",
                )
            )
    used = {*chosen.values(), *source.roles.attributes}
    other = [column for column in table.columns if column not in used]
    if other:
        told.append(f"  {in_language(language, 'not used', '使わない列')}: {', '.join(other)}")
    if not source.query and source.roles.attributes and source.roles.customer:
        return told
    if not source.query:
        told.append(
            in_language(
                language,
                "No source: no column looks like the customer and the moment. Write the query yourself.",
                "ソースにできません：顧客と日時にあたる列が見つかりません。クエリを自分で書いてください。",
            )
        )
        return told
    if source.problem or not source.rows:
        told.append(
            in_language(
                language,
                "Not ready: take the # away when the query is right.",
                "このままでは読めません。クエリを直してから # を外してください。",
            )
        )
        return [*told, *source.problem.splitlines()]
    told.append(in_language(language, "As it would be read:", "このように読みます："))
    for row in source.rows:
        value = "" if row.value is None else f" {row.value:,.10g}"
        told.append(f"  {row.customer} {row.moment} {row.kind}{value}")
    for reason, count in source.refused:
        told.append(
            in_language(
                language,
                f"  not read: {count:,} of the first {source.looked_at:,} rows, {reason}",
                f"  読めない行：先頭{source.looked_at:,}行のうち{count:,}行（{reason}）",
            )
        )
    return told


def _attributes(sources: Sequence[ProposedSource]) -> list[str]:
    """Blocks for the columns that say whether a customer may be contacted, and birthdays; one a name."""
    queries: dict[str, list[str]] = {}
    consent: dict[str, ConsentColumn] = {}
    for source in sources:
        if source.roles.customer is not None:
            for one in source.roles.consent:
                consent.setdefault(one.column, one)
            for column in source.roles.attributes:
                queries.setdefault(column, []).append(_attribute_query(source, column, source.roles.customer))
    parts = [
        f"[[attributes]]\nname = {json.dumps(name, ensure_ascii=False)}\n"
        f"query = {toml_text(f'{chr(10)}union all{chr(10)}'.join(selects))}\n"
        for name, selects in queries.items()
    ]
    for name, one in consent.items():
        channels = f"channels = {json.dumps(one.channels)}\n" if one.channels else ""
        parts.append(
            f"[[consent]]\nattribute = {json.dumps(name, ensure_ascii=False)}\n"
            f'says = "{one.says}"\n{channels}'
        )
    return parts


def _attribute_query(source: ProposedSource, column: str, customer: str) -> str:
    """What a table says of its customers in one column, and since when."""
    roles = source.roles
    said = next((one for one in roles.consent if one.column == column), None)
    value, since = quoted(column), roles.known_at or (roles.moment if source.ready else None)
    if said is not None and said.dated:
        value, since = "'yes'", column
    known_at = "timestamp '2000-01-01'" if since is None else quoted(since)
    query = f"select {quoted(customer)} as customer_id, {known_at} as known_at,\n       {value} as value\n"
    query += f"from {source.table.call}"
    if said is not None and said.says == "may_contact":
        return query  # an empty cell takes a permission away
    return f"{query}\nwhere {quoted(column)} is not null"


def _unused(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else f"{name} {1 + sum(one.startswith(name) for one in taken)}"
