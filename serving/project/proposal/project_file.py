"""The `kizuna.toml` that is proposed for one's own files, with what each column was taken for in comments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.project.proposal.data_files import find_tables
from serving.project.proposal.proposed_source import ProposedSource, propose, quoted
from serving.project.settings_blocks import ANALYTICS, CAPACITY, JAPANESE, PLAIN, SHOP, toml_text

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
    return "\n".join([*parts, SHOP if amounts else ANALYTICS, CAPACITY]), sources


def _source(source: ProposedSource, name: str, language: str) -> str:
    block = [
        "[[sources]]",
        f"name = {json.dumps(name, ensure_ascii=False)}",
        f"query = {toml_text(source.query)}",
    ]
    lines = [f"# {line}" for line in _told(source, language)]
    if source.ready:
        return "\n".join([*lines, *block, "", *_attributes(source)])
    if source.roles.attributes and not source.query:
        return "\n".join([*lines, *_attributes(source)])
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


def _attributes(source: ProposedSource) -> list[str]:
    """Blocks for the columns that say whether a customer may be contacted, and birthdays."""
    roles = source.roles
    if roles.customer is None:
        return []
    known_at = quoted(roles.known_at) if roles.known_at else "timestamp '2000-01-01'"
    lines: list[str] = []
    for column in roles.attributes:
        query = (
            f"select {quoted(roles.customer)} as customer_id, {known_at} as known_at,\n"
            f"       {quoted(column)} as value\nfrom {source.table.call}\nwhere {quoted(column)} is not null"
        )
        name = json.dumps(column, ensure_ascii=False)
        lines += ["[[attributes]]", f"name = {name}", f"query = {toml_text(query)}", ""]
    for one in roles.consent:
        channels = f"channels = {json.dumps(one.channels)}" if one.channels else ""
        lines += [
            "[[consent]]",
            f"attribute = {json.dumps(one.column, ensure_ascii=False)}",
            f'says = "{one.says}"',
        ]
        lines += [channels, ""] if channels else [""]
    return lines


def _unused(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else f"{name} {1 + sum(one.startswith(name) for one in taken)}"
