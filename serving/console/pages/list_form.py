"""The form of the list's filters and what is set in it: one field for each field of `ListFilter`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_origin

from annotated_types import Ge, Le

from serving.application.lists.browse import FilterOptions
from serving.console.texts import texts
from serving.console.visit import Visit
from serving.lists.filters import CliOption, ListFilter
from serving.lists.list_address import SEGMENT, filter_pairs, filter_query, list_filter
from serving.presentation.filter_words import value_words
from serving.presentation.messages.catalog import translated
from training.bundle.list_policy import ListOrder

AT_ONCE_VISIBLE = ("min_probability", "min_value_at_risk", "tiers", "indicators", "outcomes")
"""Filters that are used most; the others are behind "more filters"."""
APART = ("order_by",)
"""Fields that stand beside the filters."""
SHARES = ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9")
"""What a share is offered as."""
AMOUNTS = ("min_value_at_risk", "min_lifetime_value", "min_incremental_value")
NOT_ALWAYS: dict[str, ListOrder] = {
    "min_lifetime_value": "lifetime_value",
    "min_uplift": "uplift",
    "max_uplift": "uplift",
    "min_incremental_value": "incremental_value",
}
"""Filters on a column that not all scores have; the list can be ordered by those that these have."""

Kind = Literal["share", "number", "values"]


@dataclass(frozen=True)
class FieldValue:
    """A value that a filter can be set to."""

    value: str
    words: str
    customers: int | None
    """How many have it; None where nobody counted."""
    is_chosen: bool


@dataclass(frozen=True)
class FilterField:
    """One filter in the form."""

    name: str
    """Its name in an address."""
    label: str
    kind: Kind
    values: tuple[FieldValue, ...] = ()
    value: str = ""
    """What a number is set to."""

    @property
    def chosen(self) -> int:
        """How many of its values are set."""
        return sum(one.is_chosen for one in self.values) or int(self.kind == "number" and bool(self.value))

    @property
    def chosen_words(self) -> str:
        """The values that are set, as people call them."""
        return "・".join(one.words for one in self.values if one.is_chosen)


@dataclass(frozen=True)
class FilterChip:
    """A filter that is set, and the query of the address without it."""

    label: str
    query: str


@dataclass(frozen=True)
class FilterForm:
    """The filters of the list as a visitor sees them."""

    visit: Visit
    options: FilterOptions
    choice: ListFilter

    @cached_property
    def chosen(self) -> Mapping[str, list[str]]:
        """What is set, as texts by names of an address."""
        found: dict[str, list[str]] = {}
        for name, value in filter_pairs(self.choice):
            found.setdefault(name, []).append(value)
        return found

    @cached_property
    def fields(self) -> list[FilterField]:
        """Every filter that today's scores know, or that is set."""
        return [field for name in _names(self.options) for field in self._field(name)]

    @property
    def visible(self) -> list[FilterField]:
        return [field for field in self.fields if field.name in AT_ONCE_VISIBLE]

    @property
    def others(self) -> list[FilterField]:
        return [field for field in self.fields if field.name not in AT_ONCE_VISIBLE]

    @property
    def orders(self) -> list[FieldValue]:
        """In which order the list can be; the default one has an empty value."""
        default, chosen = self.options.default_order, self.choice.order_by or self.options.default_order
        return [
            FieldValue(
                "" if one == default else one, self.visit.text(f"list.order_{one}"), None, one == chosen
            )
            for one in self.options.orders
        ]

    def chips(self, *others: tuple[str, str]) -> list[FilterChip]:
        """What is set; the query of each has these other parameters too."""
        pairs = filter_pairs(self.choice)
        return [
            FilterChip(
                self.visit.text("list.chip", name=self.label(name), value=self._said(name, value)),
                filter_query(list_filter([*pairs[:place], *pairs[place + 1 :]]), *others),
            )
            for place, (name, value) in enumerate(pairs)
            if name not in APART
        ]

    def label(self, name: str) -> str:
        """A filter as people call it; one that this page has no words for as the command line explains it."""
        language, key = self.visit.language, f"list.field_{name}"
        if name.startswith(SEGMENT):
            return self.visit.shared.project.words.attribute(name.removeprefix(SEGMENT), language)
        return self.visit.text(key) if key in texts() else translated(_help(name), language)

    def _field(self, name: str) -> Iterator[FilterField]:
        label, kind = self.label(name), _kind(name)
        if kind == "values":
            values = self._values(name)
            if values:
                yield FilterField(name, label, kind, values)
            return
        value = self.chosen.get(name, [""])[0]
        if name in AMOUNTS and not self.options.has_amounts and not value:
            return
        if NOT_ALWAYS.get(name, "churn_probability") not in self.options.orders and not value:
            return
        if kind == "number":
            yield FilterField(name, label, kind, value=value)
            return
        offered = sorted({*SHARES, value} - {""}, key=float)
        yield FilterField(
            name,
            label,
            kind,
            tuple(FieldValue(one, self._said(name, one), None, one == value) for one in offered),
        )

    def _values(self, name: str) -> tuple[FieldValue, ...]:
        counts, chosen = self.options.values.get(name, {}), self.chosen.get(name, [])
        offered = dict.fromkeys([*(counts or _choices(name)), *chosen])
        return tuple(
            FieldValue(one, self._said(name, one), counts.get(one), one in chosen) for one in offered
        )

    def _said(self, name: str, value: str) -> str:
        formats = self.visit.formats
        if _kind(name) == "share":
            return formats.percent(float(value)).replace(".0%", "%")
        if name in AMOUNTS:
            return formats.money(float(value))
        words = self.visit.shared.project.words
        return value_words(name, value, self.visit.language, self.options.playbook, words)


def _names(options: FilterOptions) -> list[str]:
    """The names of all filters in an address, attributes one by one."""
    names: list[str] = []
    for name in ListFilter.model_fields:
        if name == "segment":
            names += [one for one in options.values if one.startswith(SEGMENT)]
        elif name not in APART:
            names.append(name)
    return names


def _kind(name: str) -> Kind:
    if name.startswith(SEGMENT):
        return "values"
    field = ListFilter.model_fields[name]
    if get_origin(field.annotation) is tuple:
        return "values"
    limits = {type(one): one for one in field.metadata}
    is_share = limits.get(Ge) == Ge(0) and limits.get(Le) == Le(1)
    return "share" if is_share else "number"


def _choices(name: str) -> tuple[str, ...]:
    """The values that the command line knows of a filter, where nobody counted them."""
    return () if name.startswith(SEGMENT) else next((one.choices for one in _options(name)), ())


def _help(name: str) -> str:
    field = ListFilter.model_fields[name]
    return next((one.help for one in _options(name)), field.description or name)


def _options(name: str) -> list[CliOption]:
    return [one for one in ListFilter.model_fields[name].metadata if isinstance(one, CliOption)]
