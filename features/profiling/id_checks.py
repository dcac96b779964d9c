"""Checks of customer ids: spelt in two ways, cut by a reader, changed by a migration, or made per order."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.profiling.bucket_events import Ints
from features.profiling.finding import CheckFinding
from features.profiling.profile import DataProfile
from features.timeline import Timeline

FEW_CUSTOMERS = 20
"""Among fewer customers nothing is said of ids."""
LEAST_SHARE = 0.001
"""Ids that are spelt in two ways: so many of the customers, or `MANY` of them."""
MANY = 20
ALIASES = "[[aliases]]\nquery = \"select old_id, new_id from 'data/ids.csv'\""
WRAP = "select * replace ({} as customer_id) from ( … )"


def id_checks(profile: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """All findings about customer ids, the most harmful first."""
    if profile.customers >= FEW_CUSTOMERS:
        yield from _changed_ids(profile, timeline)
    ids = _ids(profile)
    yield from _alike(ids)
    if profile.customers >= FEW_CUSTOMERS:
        yield from _cut_zeros(ids)
        yield from _id_per_order(profile)


def _ids(profile: DataProfile) -> pa.Array:
    """`string`: the id of every customer that is known by one."""
    names = profile.customers_table.vocabulary.texts.cast(pa.string())
    return names.drop_null()


@dataclass(frozen=True)
class SpellingStep:
    """One difference of spelling that is taken out of ids, and the SQL that does the same."""

    reason: str
    english: str
    japanese: str
    apply: Callable[[pa.Array], pa.Array]
    sql: str


def _steps(ids: pa.Array) -> list[SpellingStep]:
    """What is taken out of ids, one after the other."""
    narrow, wide, plain = _narrowing(ids)
    edges = pc.any(pc.not_equal(pc.utf8_trim_whitespace(ids), pc.utf8_trim(ids, " "))).as_py()
    trim = "trim({}, concat(' ', chr(9), chr(12288)))" if edges else "trim({})"
    padded = ids.filter(pc.match_substring_regex(ids, "^0[0-9]+$"))
    lengths = pc.unique(pc.utf8_length(padded)).to_pylist()
    longest = pc.max(pc.utf8_length(ids.filter(pc.match_substring_regex(ids, "^[0-9]+$")))).as_py()
    zeros = f"lpad({{}}, {longest}, '0')" if lengths == [longest] else "ltrim({}, '0')"
    return [
        SpellingStep(
            "width", "full and half width", "全角と半角", narrow, f"translate({{}}, '{wide}', '{plain}')"
        ),
        SpellingStep("blanks", "blanks", "空白", pc.utf8_trim_whitespace, trim),
        SpellingStep(
            "decimals",
            "a '.0' at the end",
            "末尾の「.0」",
            partial(_replaced, r"\.0+$", ""),
            "regexp_replace({}, '[.]0+$', '')",
        ),
        SpellingStep("case", "upper and lower case", "大文字と小文字", pc.utf8_lower, "lower({})"),
        SpellingStep("zeros", "leading zeros", "先頭の0", partial(_replaced, "^0+([0-9]+)$", r"\1"), zeros),
    ]


def _replaced(pattern: str, replacement: str, ids: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(ids, pattern, replacement)


def _spelt(ids: pa.Array, steps: Sequence[SpellingStep]) -> tuple[pa.Array, int]:
    """The ids after some steps, and how many of them equal an earlier one."""
    for step in steps:
        ids = step.apply(ids)
    return ids, len(ids) - len(ids.unique())


def _narrowing(ids: pa.Array) -> tuple[Callable[[pa.Array], pa.Array], str, str]:
    """What writes full-width letters and digits in half width, and which characters become which."""
    other = np.flatnonzero(np.asarray(pc.match_substring_regex(ids, r"[^\x00-\x7f]")))
    texts = ids.take(pa.array(other)).to_pylist()
    became = {
        character: plain
        for character in sorted(set("".join(texts)))
        if len(plain := unicodedata.normalize("NFKC", character)) == 1
        and plain.isalnum()
        and plain != character
    }
    table = str.maketrans(became)

    def narrow(every: pa.Array) -> pa.Array:
        if not became:
            return every
        spelt = np.array(every.to_pylist(), dtype=object)
        spelt[other] = [text.translate(table) for text in spelt[other]]
        return pa.array(spelt, pa.string())

    return narrow, "".join(became), "".join(became.values())


def _alike(ids: pa.Array) -> Iterator[CheckFinding]:
    """Two ids that differ by case, width, blanks, `.0` or leading zeros only: one customer under both."""
    steps = _steps(ids)
    spelt, doubles = _spelt(ids, steps)
    if not doubles or (doubles < LEAST_SHARE * len(ids) and doubles < MANY):
        return
    for step in tuple(steps):  # only the steps that it takes
        others = [one for one in steps if one is not step]
        if _spelt(ids, others)[1] == doubles:
            steps = others
    expression = "customer_id"
    for step in steps:
        expression = step.sql.format(expression)
    one, other = _pair(ids, spelt)
    english = ", ".join(step.english for step in steps)
    japanese = "、".join(step.japanese for step in steps)
    share, query = doubles / len(ids), WRAP.format(expression)
    yield CheckFinding(
        "near_equal_ids",
        f"{doubles:,} customer ids ({share:.1%}) equal another but for {english}, such as '{one}' and "
        f"'{other}': one customer under two ids. Bring them to one spelling around each query, `{query}`, "
        "then run `kizuna ingest --replace SOURCE` for each source.",
        f"{japanese}だけが違う顧客IDが{doubles:,}件（{share:.1%}）あります（例：「{one}」と「{other}」）。同じ顧客が"
        f"2名に数えられています。各クエリを `{query}` で囲んで表記をそろえ、ソースごとに "
        "`kizuna ingest --replace SOURCE` を実行してください。",
        {
            "ids": doubles,
            "share": share,
            "reasons": [step.reason for step in steps],
            "example": [one, other],
            "expression": expression,
        },
    )


def _pair(ids: pa.Array, spelt: pa.Array) -> tuple[str, str]:
    """The first two ids that became one."""
    codes = spelt.dictionary_encode().indices.to_numpy()
    first = np.unique(codes, return_index=True)[1]
    again = np.setdiff1d(np.arange(len(codes)), first)[0]
    return ids[int(np.flatnonzero(codes == codes[again])[0])].as_py(), ids[int(again)].as_py()


def _cut_zeros(ids: pa.Array) -> Iterator[CheckFinding]:
    """Numbers of one length but for a tenth that is shorter: read as numbers, which cuts leading zeros.

    A counter has shorter numbers too. It is dense, and does not end near the largest number of its length.
    """
    numbers = ids.filter(pc.match_substring_regex(ids, r"^[0-9]{1,18}$"))
    if len(numbers) < 0.9 * len(ids):
        return
    values: Ints = numbers.cast(pa.int64()).to_numpy()
    lengths: Ints = pc.utf8_length(numbers).to_numpy().astype(np.int64)
    length = int(lengths.max())
    short = lengths < length
    share = float(short.mean())
    zeros = bool(pc.any(pc.starts_with(numbers, "0")).as_py())
    dense = len(values) > 0.05 * 10**length
    if length < 5 or zeros or dense or not 0.02 <= share <= 0.3 or int(values.max()) < 0.9 * 10**length:
        return
    example = numbers[int(np.flatnonzero(short)[0])].as_py()
    yield CheckFinding(
        "zeros_cut",
        f"{1 - share:.0%} of the customer ids have {length} digits, and {int(short.sum()):,} ({share:.1%}) "
        f"fewer, such as '{example}': their leading zeros seem to be lost. Read the file as text, as in "
        "`read_csv('…', all_varchar = true)`, or, where the file itself has lost them, write "
        f"`lpad(customer_id, {length}, '0')`; then run `kizuna ingest --replace SOURCE`.",
        f"顧客IDの{1 - share:.0%}は{length}桁ですが、{int(short.sum()):,}件（{share:.1%}）は桁が足りません"
        f"（例：「{example}」）。先頭の0が失われたようです。`read_csv('…', all_varchar = true)` のように"
        f"文字として読むか、ファイル自体で失われている場合は `lpad(customer_id, {length}, '0')` とし、"
        "`kizuna ingest --replace SOURCE` を実行してください。",
        {"ids": int(short.sum()), "share": share, "digits": length, "example": example},
    )


def _changed_ids(profile: DataProfile, timeline: Timeline) -> Iterator[CheckFinding]:
    """A day on which many ids stop and as many begin: the same persons under new ids since a migration."""
    found = turnover(profile)
    if found is None:
        return
    place, stopped, began, share, usual = found
    day = timeline.local(int(timeline.midnights[profile.first_day + place])).date().isoformat()
    yield CheckFinding(
        "changed_ids",
        f"On {day} {stopped:,} more customers than usual stop for good ({share:.0%} of those active in the "
        f"weeks before, usually {usual:.0%}) and {began:,} more begin: did ids change that day? Then a table "
        f"of old and new ids makes each of them one customer: `{ALIASES}`.",
        f"{day}を境に、通常より{stopped:,}名多くの顧客が途絶え（直前に活動していた顧客の{share:.0%}、通常は"
        f"{usual:.0%}）、{began:,}名多くの顧客が新たに現れています。この日にIDが変わっていませんか。"
        f"新旧IDの対応表を `{ALIASES}` と書くと、同じ顧客として扱われます。",
        {"day": day, "stopped": stopped, "began": began, "share": share, "usual_share": usual},
    )


def turnover(profile: DataProfile) -> tuple[int, int, int, float, float] | None:
    """The day (counted from the first) of a migration, how many more than usual stop and begin, and shares.

    At such a day the share of customers who go on, and of those who were known, falls together, and is as
    usual a window before and after it.
    """
    counts, days, window = profile.by_customer, len(profile.days), profile.by_customer.window
    before, go_on, after, known = (
        np.cumsum(one)[:days] for one in (counts.before, counts.go_on, counts.after, counts.known)
    )
    places = np.arange(window, days - window)
    places = places[(before[places] >= FEW_CUSTOMERS / 2) & (after[places] >= FEW_CUSTOMERS / 2)]
    if len(places) < window:
        return None
    stay, old = go_on[places] / before[places], known[places] / after[places]
    best: tuple[float, tuple[int, int, int, float, float]] | None = None
    for row in np.argsort(stay + old)[: 4 * window].tolist():
        away = places - places[row]
        sides = [(side >= window // 2) & (side <= 2 * window) for side in (-away, away)]
        if min(side.sum() for side in sides) < 3:
            continue
        # A trend is no step: the share is as usual on either side.
        usual, usually_old = (min(float(np.median(one[side])) for side in sides) for one in (stay, old))
        stopped = before[places[row]] * (usual - stay[row])
        began = after[places[row]] * (usually_old - old[row])
        fall = min(1 - stay[row] / max(usual, 1e-9), 1 - old[row] / max(usually_old, 1e-9))
        alike = min(stopped, began) >= 0.5 * max(stopped, began)
        if (
            fall >= 0.3
            and alike
            and min(stopped, began) >= FEW_CUSTOMERS / 2
            and (not best or fall > best[0])
        ):
            shares = float(1 - stay[row]), 1 - usual
            best = fall, (int(places[row]), round(stopped), round(began), *shares)
    return None if best is None else best[1]


def _id_per_order(profile: DataProfile) -> Iterator[CheckFinding]:
    """Nearly every customer bought once, and ids count up with time: they are order numbers."""
    keys, bought, first = (
        np.concatenate([np.empty(0, np.int64), *parts])
        for parts in (profile.by_customer.keys, profile.by_customer.purchase_days, profile.by_customer.first)
    )
    buyers = bought > 0
    if buyers.sum() < FEW_CUSTOMERS:
        return
    once = float((bought[buyers] == 1).mean())
    if once < 0.95:
        return
    names = profile.customers_table.names(keys[buyers])
    digits = pc.replace_substring_regex(names, r"[^0-9]+", "")
    given = np.asarray(pc.and_(pc.greater(pc.utf8_length(digits), 0), pc.less(pc.utf8_length(digits), 19)))
    if given.mean() < 0.95:
        return
    numbers = digits.filter(pa.array(given)).cast(pa.int64()).to_numpy()
    if _rank_correlation(numbers, first[buyers][given]) < 0.95:
        return
    example = names[0].as_py()
    yield CheckFinding(
        "id_per_order",
        f"{once:.1%} of {int(buyers.sum()):,} customers bought exactly once, and their ids count up with "
        f"time, such as '{example}': these seem to be numbers of orders. Give what stands for the person, "
        "such as the e-mail address or the member number, as `customer_id`, and the order's number as "
        "`event_id`.",
        f"顧客{int(buyers.sum()):,}名の{once:.1%}が1回しか購入しておらず、IDが時間順に増えています"
        f"（例：「{example}」）。注文番号のようです。会員番号やメールアドレスなど人を表す列を "
        "`customer_id` に、注文番号を `event_id` にしてください。",
        {"customers": int(buyers.sum()), "share": once, "example": example},
    )


def _rank_correlation(one: Ints, other: Ints) -> float:
    ranks = [np.argsort(np.argsort(side, kind="stable")) for side in (one, other)]
    if len(one) < 2:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
