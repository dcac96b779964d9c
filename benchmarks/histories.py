"""Public histories of customers, each as a `kizuna.toml`: its sources, and what leaving means.

online_retail_ii (UCI, CC BY 4.0), the Open University's learning analytics (CC BY 4.0), Dunnhumby's
Complete Journey, a course's eleven years of purchases (ESSEC) and CDNOW. What makes each one treacherous
stands beside its query.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DEMONSTRATION = Path(__file__).resolve().parents[1]
"""The repository's own root is the Complete Journey project; `make demo` fetches its tables."""


@dataclass(frozen=True)
class Past:
    """A history, and the dates to look back to."""

    churn: Mapping[str, Any]
    dates: tuple[str, ...]
    sources: Mapping[str, str]
    attributes: Mapping[str, str]

    def configuration(self, data: Path) -> str:
        """The text of its `kizuna.toml`; `{data}` in a query is the folder of the data."""
        lines = []
        for part, queries in (("sources", self.sources), ("attributes", self.attributes)):
            for name, query in queries.items():
                sql = query.replace("{data}", str(data)).replace("{demo}", str(DEMONSTRATION))
                lines.append(f"[[{part}]]\nname = \"{name}\"\nquery = '''\n{sql.strip()}\n'''\n")
        lines.append("[churn]")
        lines += [f"{key} = {_toml(value)}" for key, value in self.churn.items()]
        return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


# The two sheets overlap in December 2010; rows without a customer cannot be followed. An invoice is one
# purchase, a cancellation (C…) takes back; an invoice that is worth nothing is a correction of the stock.
ONLINE_RETAIL_II = Past(
    churn={"type": "inactivity", "indicators": ["purchase"], "active_days": 365, "horizon_days": 90},
    dates=tuple(f"2011-{month:02}-09" for month in range(1, 10)),
    sources={
        "invoices": """
with lines as (
    select * from '{data}/online_retail_ii/transactions.parquet'
    where CustomerID is not null and not (sheet = '2009-2010' and InvoiceDate >= '2010-12-01')
)
select CustomerID::varchar as customer_id,
       min(InvoiceDate) as occurred_at,
       case when InvoiceNo like 'C%' then 'refund' else 'purchase' end as kind,
       round(sum(Quantity * UnitPrice), 2) as value,
       arg_max(Description, (Quantity * UnitPrice, Description)) as detail,
       InvoiceNo as event_id
from lines
where UnitPrice > 0
group by CustomerID, InvoiceNo
""",
    },
    attributes={
        "country": """
select CustomerID::varchar as customer_id, min(InvoiceDate) as known_at,
       arg_min(Country, InvoiceDate) as value
from '{data}/online_retail_ii/transactions.parquet'
where CustomerID is not null
group by CustomerID
""",
    },
)

_ENROLMENTS = """
with starts as (
    select code_module, code_presentation, module_presentation_length as length,
           make_date(left(code_presentation, 4)::int, if(code_presentation like '%B', 2, 10), 1)::timestamp
               as day0
    from '{data}/oulad_no_vle/course.parquet'
), enrolments as (
    select code_module || '-' || code_presentation || '-' || id_student as customer_id, id_student,
           code_module, code_presentation, day0, length, date_registration, date_unregistration,
           day0 + to_days(greatest(0, coalesce(date_registration, 0))::int) as started_at
    from '{data}/oulad_no_vle/student_registration.parquet'
    join starts using (code_module, code_presentation)
    where date_unregistration is null or date_unregistration > 0   -- who left before it began was never there
)
"""


def _known_of_students(column: str) -> str:
    return (
        _ENROLMENTS
        + f"""
select customer_id, day0 + to_days(least(coalesce(date_registration, 0), 0)::int) as known_at,
       {column}::varchar as value
from enrolments
join '{{data}}/oulad_no_vle/student.parquet' using (code_module, code_presentation, id_student)
where {column} is not null
"""
    )


# A customer is an enrolment. Results of an earlier attempt (banked) were not handed in this time, and what is
# handed in after a withdrawal lies after the end. Whoever reaches the presentation's length has completed it.
OULAD = Past(
    churn={
        "type": "contract",
        "started_by": ["started"],
        "ended_by": ["cancelled"],
        "completed_by": ["completed"],
        "horizon_days": 28,
    },
    dates=("2014-11-01", "2015-01-01", "2015-03-01"),
    sources={
        "enrolments": _ENROLMENTS
        + """
select customer_id, started_at as occurred_at, 'started' as kind, code_module as detail from enrolments
""",
        "ends": _ENROLMENTS
        + """
select customer_id,
       day0 + to_days(least(coalesce(date_unregistration, length), length)::int) as occurred_at,
       if(date_unregistration < length, 'cancelled', 'completed') as kind
from enrolments
""",
        "submissions": _ENROLMENTS
        + """
select customer_id, day0 + to_days(date_submitted::int) as occurred_at, 'feature_used' as kind,
       score::double as value, assessment_type as detail
from enrolments
join '{data}/oulad_no_vle/assessment.parquet' using (code_module, code_presentation)
join '{data}/oulad_no_vle/student_assessment.parquet' using (id_assessment, id_student)
where not is_banked
""",
        "assignments": _ENROLMENTS
        + """
select customer_id, day0 + to_days(date::int) as occurred_at, 'push_sent' as kind, assessment_type as detail
from enrolments
join '{data}/oulad_no_vle/assessment.parquet' using (code_module, code_presentation)
where date < coalesce(date_unregistration, length)
""",
        "clicks before the start": _ENROLMENTS
        + """
select customer_id, day0 - interval 1 day as occurred_at, 'article_read' as kind, pre_course_clicks as value
from enrolments
join '{data}/oulad_no_vle/vle_pre_course_clicks.parquet' using (code_module, code_presentation, id_student)
""",
    },
    attributes={
        name: _known_of_students(column)
        for name, column in {
            "module": "code_module",
            "term": "right(code_presentation, 1)",
            "gender": "gender",
            "region": "region",
            "education": "highest_education",
            "imd_band": "imd_band",
            "age_band": "age_band",
            "attempts": "num_of_prev_attempts",
            "credits": "studied_credits",
            "disability": "disability",
        }.items()
    },
)


# Stamped by day: what was bought on 31 December was known on 1 January, and so are a tenth of all purchases.
# Several purchases of a day are purchases; nothing tells a row twice from a second basket.
ESSEC = Past(
    churn={"type": "inactivity", "indicators": ["purchase"], "active_days": 730, "horizon_days": 365},
    dates=("2013-01-01", "2014-01-01", "2015-01-01"),
    sources={
        "purchases": """
select customer_id::varchar as customer_id, date::timestamp as occurred_at, 'purchase' as kind,
       amount::double as value
from '{data}/essec/purchases.parquet'
""",
    },
    attributes={},
)


def _cdnow(horizon_days: int, date: str) -> Past:
    """CDNOW, one wave of customers: all bought first in the first quarter of 1997, nobody joined later."""
    return Past(
        churn={
            "type": "inactivity",
            "indicators": ["purchase"],
            "active_days": 365,
            "horizon_days": horizon_days,
        },
        dates=(date,),
        sources={
            "purchases": """
select customer_id::varchar as customer_id, date::timestamp as occurred_at, 'purchase' as kind,
       amount::double as value
from '{data}/cdnow/purchases.parquet'
""",
        },
        attributes={},
    )


def _complete_journey() -> Past:
    """The demonstration's own sources and churn."""
    words = tomllib.loads((DEMONSTRATION / "kizuna.toml").read_text(encoding="utf-8"))
    return Past(
        churn=words["churn"],
        dates=("2017-10-01", "2017-11-01", "2017-12-01"),
        sources={
            source["name"]: source["query"].replace("'data/", "'{demo}/data/") for source in words["sources"]
        },
        attributes={},
    )


def _with(past: Past, items: str) -> Past:
    """The history with how many items each purchase had, which its own sources leave out."""
    return replace(past, sources={**past.sources, "items": items})


HISTORIES: Mapping[str, Past] = {
    "online_retail_ii": ONLINE_RETAIL_II,
    "oulad_no_vle": OULAD,
    "complete_journey": _complete_journey(),
    "essec": ESSEC,
    "cdnow_180": _cdnow(180, "1998-01-01"),
    "cdnow_90": _cdnow(90, "1998-02-01"),
}

_CDS = """
select customer_id::varchar as customer_id, date::timestamp as occurred_at, 'items' as kind,
       n_cds::double as value
from '{data}/cdnow/purchases.parquet'
"""
WITH_ITEMS: Mapping[str, Past] = {
    "online_retail_ii_items": _with(
        ONLINE_RETAIL_II,
        """
select CustomerID::varchar as customer_id, min(InvoiceDate) as occurred_at, 'items' as kind,
       count(*)::double as value, 'items-' || InvoiceNo as event_id
from '{data}/online_retail_ii/transactions.parquet'
where CustomerID is not null and UnitPrice > 0 and InvoiceNo not like 'C%'
  and not (sheet = '2009-2010' and InvoiceDate >= '2010-12-01')
group by CustomerID, InvoiceNo
""",
    ),
    "complete_journey_items": _with(
        HISTORIES["complete_journey"],
        """
select household_id::varchar as customer_id, min(transaction_timestamp) as occurred_at, 'items' as kind,
       count(*)::double as value, 'items-' || basket_id as event_id
from '{demo}/data/completejourney/transactions.parquet' as transactions
group by household_id, basket_id, store_id
""",
    ),
    "cdnow_180_items": _with(HISTORIES["cdnow_180"], _CDS),
    "cdnow_90_items": _with(HISTORIES["cdnow_90"], _CDS),
}
"""The same with the lines of each basket (CDNOW: its CDs), looked at where `--sets` names them."""
