"""The list: whom to approach, by filters that can be saved, in columns to choose, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from features.errors import UsageError
from serving.application.lists.at_risk import whole_list
from serving.application.lists.browse import (
    BrowsedList,
    browse_list,
    choose_columns,
    chosen_columns,
    filter_options,
    loosened_filters,
)
from serving.application.lists.export import export_list
from serving.application.lists.saved_filters import (
    SavedFilter,
    delete_filter,
    rename_filter,
    replace_filter,
    save_filter,
    saved_filters,
)
from serving.console.pages.campaign_start import written_fields
from serving.console.pages.files import file_name
from serving.console.pages.list_form import FilterForm
from serving.console.visit import Answer, Download, Page, Redirect, Visit
from serving.lists.filters import ListFilter
from serving.lists.list_address import filter_query, list_filter
from serving.presentation.columns import COLUMNS, SCREEN, SCREEN_AT_FIRST, ListColumn, ListRow
from serving.presentation.csv import list_csv
from serving.presentation.messages.catalog import translated
from serving.schemas.expected_leavers import expected_leavers_words
from serving.schemas.responses import ListedCustomer, Reason
from serving.schemas.terms import OUTCOMES, PLANNED
from serving.state.database import DATABASE_ERRORS

PATH, FILE = "/list", "/list.csv"
SIZES = ("25", "50", "100", "1000")
SIZE = "50"
FILES = ("csv", "salesforce", "hubspot")
MOST_DIGITS = 9
"""Of the number of a saved filter: a database keeps no longer ones."""
PLANNED_ONLY = OUTCOMES[PLANNED]
LIFETIME = "lifetime_value"
LONG = ("action", "left_out_because", "rule", "hooks")
"""Columns of whole sentences, of which two lines are shown."""


@dataclass(frozen=True)
class TableCell:
    """One cell of the table as it is shown."""

    name: str
    text: str
    is_number: bool


@dataclass(frozen=True)
class DownloadGroup:
    """The files of one choice of customers."""

    words: str
    """The text that names one of its files."""
    query: str
    is_first: bool
    """Whether it is what most people should take."""
    warning: str = ""
    """Who of it must not be contacted."""


@dataclass(frozen=True)
class TableRow:
    """One customer of the table."""

    customer_id: str
    address: str
    probability: float | None
    outcome: str | None
    reasons: list[Reason]
    action: str | None
    """What the plan has in mind; None for who is left out."""
    hooks: list[str]
    cells: list[TableCell]


def at_risk_list(visit: Visit) -> Page:
    """The list, or its results alone where htmx asks for them."""
    return _page(visit)


def change_list(visit: Visit) -> Page | Redirect:
    """What a form of the list asks for: columns, or something with a saved filter."""
    try:
        return _changed(visit)
    except UsageError as error:
        return _page(visit, error)


def list_file(visit: Visit) -> Answer:
    """The filtered list as a file: the list as CSV, or in the columns of another system."""
    columns, choice = visit.query.get("columns", "csv"), list_filter(visit.query.multi_items())
    if columns != "csv":
        exported = export_list(visit.shared, visit.actor, columns, choice, visit.language)
        return Download(exported.lines, file_name(visit, _list_name(visit), columns))
    rows = whole_list(visit.shared, visit.actor, choice, visit.language, planned_first=True)
    lines = list_csv(
        rows.customers,
        visit.language,
        with_plan=rows.planned,
        with_uplift=rows.uplifted,
        lifetime_months=rows.source.lifetime_months,
        spreadsheet=True,
    )
    return Download(lines, file_name(visit, _list_name(visit), columns))


def _list_name(visit: Visit) -> str:
    """The name of the saved filter that is shown, else that of the page."""
    number = visit.query.get("saved", "")
    saved = saved_filters(visit.shared, visit.actor) if number else ()
    return next((one.name for one in saved if str(one.id) == number), visit.text("list.title"))


def _page(visit: Visit, problem: UsageError | None = None) -> Page:
    place, actor = visit.shared, visit.actor
    options = filter_options(place, actor)
    choice, browsed = ListFilter(), None
    size = visit.query.get("rows", SIZE) if visit.query.get("rows") in SIZES else SIZE
    try:
        choice = list_filter(visit.query.multi_items())
        cursor = visit.query.get("cursor") or None
        browsed = browse_list(place, actor, choice, visit.language, size=int(size), cursor=cursor)
    except UsageError as error:
        problem = problem or error
    form = FilterForm(visit, options, choice)
    saved, columns, is_away = _kept(visit)
    number = visit.query.get("saved", "")
    carried = written_fields(visit)
    kept = [*([("rows", size)] if size != SIZE else []), *([("saved", number)] if number else []), *carried]
    is_empty = browsed is not None and not browsed.page.totals.customers
    return Page(
        "list.html",
        {
            "form": form,
            "chips": form.chips(*kept),
            "sizes": SIZES,
            "size": size,
            "query": filter_query(choice, *kept),
            "filter_query": filter_query(choice),
            "campaign_query": filter_query(choice, *carried),
            "carried": carried,
            "clear_query": urlencode([one for one in kept if one[0] != "saved"]),
            "problem": None if problem is None else translated(problem.message, visit.language),
            "browsed": browsed,
            "leavers": None if browsed is None else _leavers(visit, browsed),
            "columns": columns,
            "column_title": partial(_title, visit, browsed),
            "all_columns": [COLUMNS[name] for name in SCREEN],
            "long": LONG,
            "rows": [] if browsed is None else _rows(visit, browsed, columns),
            "pages": _pages(browsed, choice, kept),
            "loosened": [
                (form.label(one.name), filter_query(one.choice, *kept), one.totals)
                for one in (loosened_filters(place, actor, choice) if is_empty else ())
            ],
            "downloads": _downloads(visit, choice, browsed),
            "files": [name for name in FILES if visit.may("download" if name == "csv" else "contact")],
            "saved": [
                (one, _said(one.problem, visit), filter_query(one.choice, ("saved", str(one.id))))
                for one in saved
            ],
            "saved_away": is_away,
            "current": next((one for one in saved if str(one.id) == number), None),
        },
        200 if problem is None else problem.status,
        fragment="results",
        address=f"{PATH}?{filter_query(choice, *kept)}".rstrip("?"),
        listed=None if browsed is None else browsed.page.totals.customers,
    )


def _leavers(visit: Visit, browsed: BrowsedList) -> str | None:
    """How many of all customers are expected to leave; None where the scores do not say it."""
    leavers = browsed.page.source.expected_leavers
    return None if leavers is None else expected_leavers_words(leavers, visit.language)


def _title(visit: Visit, browsed: BrowsedList | None, column: ListColumn) -> str:
    """What stands above a column; above lifetime value over how many months it is."""
    months = () if browsed is None else browsed.page.source.lifetime_months
    if column.name != LIFETIME or not months:
        return column.title(visit.language)
    return visit.text("list.lifetime_value", months=visit.formats.month_count(months[0]))


def _downloads(visit: Visit, choice: ListFilter, browsed: BrowsedList | None) -> list[DownloadGroup]:
    """The files: of those planned alone first, then of everybody, with whom not to contact among them."""
    if browsed is None:
        return []
    totals, groups = browsed.page.totals, list[DownloadGroup]()
    # With a limit "planned" would be the first so many planned of everybody, not those among the shown.
    if totals.planned and choice.outcomes != (PLANNED_ONLY,) and choice.limit is None:
        alone = choice.model_copy(update={"outcomes": (PLANNED_ONLY,)})
        groups.append(DownloadGroup("files_planned", filter_query(alone), is_first=True))
    counts = {"refused": totals.refused, "control": totals.control}
    there = [name for name, count in counts.items() if count]
    warning = ""
    if there:
        words = "both" if len(there) > 1 else there[0]
        people = {name: visit.formats.people(count) for name, count in counts.items()}
        warning = visit.text(f"list.files_{words}", **people)
    only = choice.outcomes == (PLANNED_ONLY,)
    groups.append(
        DownloadGroup("files_planned" if only else "files_all", filter_query(choice), only, warning)
    )
    return groups


def _kept(visit: Visit) -> tuple[list[SavedFilter], list[ListColumn], bool]:
    """Saved filters and the columns to show; the list does without them while the database is away."""
    saved, chosen, is_away = list[SavedFilter](), None, False
    try:
        saved = saved_filters(visit.shared, visit.actor)
        chosen = chosen_columns(visit.shared, visit.actor)
    except DATABASE_ERRORS:
        is_away = True
    names = SCREEN_AT_FIRST if chosen is None else chosen
    return saved, [COLUMNS[name] for name in SCREEN if name in names], is_away


def _rows(visit: Visit, browsed: BrowsedList, columns: Sequence[ListColumn]) -> list[TableRow]:
    currency = browsed.page.source.currency
    formats = visit.formats
    by_kind = {
        "share": formats.percent,
        "amount": formats.money,
        "number": lambda value: formats.number(value, 0),
        "day": formats.day,
    }

    def cell(column: ListColumn, row: ListRow) -> TableCell:
        value = column.cell(row)
        if column.kind == "as_on_terminal" and column.terminal is not None:
            return TableCell(column.name, column.terminal.text(row), is_number=True)
        if column.kind == "text":
            return TableCell(column.name, "" if value is None else str(value), is_number=False)
        return TableCell(column.name, by_kind[column.kind](value), column.kind != "day")

    def shown(customer: ListedCustomer) -> TableRow:
        row = ListRow(customer, customer.plan, visit.language, currency, browsed.page.source.uplift)
        return TableRow(
            customer.customer_id,
            "/customer?" + urlencode({"id": customer.customer_id}),
            customer.churn_probability,
            customer.outcome,
            row.reasons,
            None if customer.plan is None else customer.plan.action_words,
            [] if customer.plan is None else customer.plan.hook_sentences,
            [cell(column, row) for column in columns],
        )

    return [shown(customer) for customer in browsed.page.customers]


def _pages(
    browsed: BrowsedList | None, choice: ListFilter, kept: Sequence[tuple[str, str]]
) -> dict[str, str | None]:
    """The addresses of the pages around."""
    cursors = (None, None) if browsed is None else (browsed.page.previous, browsed.page.following)
    return {
        name: None if cursor is None else f"{PATH}?{filter_query(choice, *kept, ('cursor', cursor))}"
        for name, cursor in zip(("previous", "following"), cursors, strict=True)
    }


def _changed(visit: Visit) -> Redirect:
    place, actor, form = visit.shared, visit.actor, visit.form
    choice = list_filter(visit.query.multi_items())
    rows = [("rows", visit.query["rows"])] if visit.query.get("rows") in SIZES else []
    saved = [("saved", visit.query["saved"])] if visit.query.get("saved") else []
    saved_id = form.get("saved", "")
    number = int(saved_id) if saved_id.isdecimal() and len(saved_id) <= MOST_DIGITS else None
    rows += written_fields(visit)
    back = f"{PATH}?{filter_query(choice, *rows, *saved)}"
    match form.get("do"):
        case "columns":
            names = form.getlist("columns")
            choose_columns(place, actor, [name for name in SCREEN if name in names])
            return Redirect(back, "list.columns_kept")
        case "save":
            new = save_filter(place, actor, form.get("name", ""), choice)
            return Redirect(f"{PATH}?{filter_query(choice, *rows, ('saved', str(new)))}", "list.saved_notice")
        case "replace" if number is not None:
            replace_filter(place, actor, number, choice)
            return Redirect(back, "list.saved_notice")
        case "rename" if number is not None:
            rename_filter(place, actor, number, form.get("name", ""))
            return Redirect(back, "list.renamed_notice")
        case "delete" if number is not None:
            name = delete_filter(place, actor, number)
            return Redirect(f"{PATH}?{filter_query(choice, *rows)}", "list.deleted_notice", {"name": name})
    raise UsageError("cannot use this form: it asks for nothing that the list knows. Reload the page.")


def _said(problem: str | None, visit: Visit) -> str | None:
    return None if problem is None else translated(problem, visit.language)
