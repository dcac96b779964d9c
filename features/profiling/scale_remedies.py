"""Remedies for survey answers on several scales: declarations in kizuna.toml, and queries around a query.

Answers of `nps` on another scale than 0–10 get the kind `csat`, as only 0–10 tells promoters from detractors.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import shell_word
from features.events.answer_scales import READ, Scale, declaration, scale_words

DIGITS = "translate(cast(value as varchar), '０１２３４５６７８９', '0123456789')"
NUMBER = f"try_cast(regexp_extract({DIGITS}, '[0-9]+') as double)"
"""The answer in SQL, also where its label stands beside it."""
REPLACED = "select * replace ({}) from ( … )"

Words = tuple[str, str]
"""What to do, in English and in Japanese."""


def declared(blocks: Sequence[str], sources: Sequence[str]) -> Words:
    """To declare scales, and to read these sources again."""
    text, again = "\n\n".join(blocks), read_again(sources)
    return (
        f"Declare it in kizuna.toml: `{text}`; then run {again}.",
        f"kizuna.toml に `{text}` と書き、{again} を実行してください。",
    )


def requeried(
    kind: str, given: Scale, target: Scale, where: str, whose: Words, sources: Sequence[str]
) -> Words:
    """To put a query around the query of `whose`, which brings answers on the scale `given` to `target`."""
    again = read_again(sources)
    if kind != "nps":
        query, to = rescaling(kind, given, target, where), scale_words(target)
        return (
            f"Bring those on {scale_words(given)} to {to} around the query of {whose[0]}: `{query}`; then "
            f"run {again}.",
            f"{whose[1]}のクエリを `{query}` で囲んで{scale_words(given)}の回答を{to}にそろえ、"
            f"{again} を実行してください。",
        )
    query = renaming(kind, where)
    blocks = [] if given == READ["csat"] else [declaration("csat", given, source) for source in sources]
    text = "\n\n".join(blocks)
    more = (
        (f", and write into kizuna.toml `{text}`", f"、kizuna.toml に `{text}` と書いて")
        if text
        else ("", "")
    )
    return (
        f"Promoters and detractors are told apart from 0 to 10 alone: give the answers on "
        f"{scale_words(given)} the kind 'csat' around the query of {whose[0]}: `{query}`{more[0]}; then run "
        f"{again}.",
        f"推奨者と批判者は0–10の回答でしか区別できません。{whose[1]}のクエリを `{query}` で囲んで"
        f"{scale_words(given)}の回答の種別を「csat」にし{more[1]}、{again} を実行してください。",
    )


def rescaling(kind: str, given: Scale, target: Scale, where: str) -> str:
    """The query around a query that brings answers of a kind from one scale to another, to whole answers."""
    (low, high), (least, most) = given, target
    moved = f"round(({NUMBER} - {low}) * {most - least} / {high - low} + {least})"
    text = "cast(value as varchar)"
    value = (
        f"case when {_condition(kind, where)} then cast(cast({moved} as integer) as varchar) else {text} end"
    )
    return REPLACED.format(f"{value} as value")


def renaming(kind: str, where: str) -> str:
    """The query around a query that gives answers of a kind the kind `csat`."""
    return REPLACED.format(f"case when {_condition(kind, where)} then 'csat' else kind end as kind")


def read_again(sources: Sequence[str]) -> str:
    """The commands that read the changed sources again."""
    return ", ".join(f"`kizuna ingest --replace {shell_word(name)}`" for name in sources)


def quoted(text: str) -> str:
    """A text inside the quotes of an SQL literal."""
    return text.replace("'", "''")


def _condition(kind: str, where: str) -> str:
    return f"kind = '{quoted(kind)}'" + (f" and {where}" if where else "")
