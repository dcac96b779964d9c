"""View of `kizuna init` over files of one's own: which sources were proposed, and what is left to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.catalog.display_names import in_language

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from serving.project.proposal.proposed_source import ProposedSource


@dataclass(frozen=True)
class ProposedTable:
    """A table of the reply: where it lies, what each column was taken for, and rows as they are read."""

    path: str
    ready: bool
    columns: dict[str, str]
    attributes: list[str]
    query: str
    rows: list[dict[str, str | float | None]]
    problem: str


@dataclass(frozen=True)
class ProposalReply:
    """What `kizuna --json init` prints about files of one's own."""

    file: str
    sources: list[ProposedTable]


def proposal_reply(file: Path, sources: Sequence[ProposedSource]) -> ProposalReply:
    """The proposal as data."""
    return ProposalReply(
        str(file),
        [
            ProposedTable(
                source.table.path,
                source.ready,
                source.roles.chosen(),
                list(source.roles.attributes),
                source.query,
                [vars(row) for row in source.rows],
                source.problem,
            )
            for source in sources
        ],
    )


def proposal_lines(file: Path, sources: Sequence[ProposedSource], language: str) -> list[str]:
    """The proposal as people read it: a line for each table with its first row."""
    lines = [in_language(language, f"Wrote {file}.", f"{file} を書き出しました。")]
    for source in sources:
        if source.roles.attributes and not source.query:
            words = in_language(language, "known about the customer", "顧客の属性")
            lines.append(f"  {source.table.path}: {words}: {', '.join(source.roles.attributes)}")
            continue
        if not source.ready:
            wrong = source.problem or in_language(
                language, "no customer or no moment was found", "顧客か日時の列が見つかりません"
            )
            lines.append(f"  {source.table.path}: {in_language(language, 'not ready', '要確認')} ({wrong})")
            continue
        taken = ", ".join(
            f"{source.roles.chosen()[role]} → {target}"
            for role, target in (
                ("customer", "customer_id"),
                ("moment", "occurred_at"),
                ("amount", "value"),
                ("number", "event_id"),
            )
            if role in source.roles.chosen()
        )
        row = source.rows[0]
        value = "" if row.value is None else f" {row.value:,.10g}"
        lines.append(f"  {source.table.path}: {taken}")
        lines.append(f"    {row.customer} {row.moment} {row.kind}{value}")
    lines.append(
        in_language(
            language,
            "Check what each column was taken for, then run `kizuna ingest`.",
            "各列の読み方を確認してから `kizuna ingest` を実行してください。",
        )
    )
    return lines
