"""An option of the command line for each filter of the list, made from the fields of `ListFilter`."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_origin

import click

from features.errors import UsageError

if TYPE_CHECKING:
    from serving.lists.filters import CliOption, ListFilter

LONGEST_QUOTE = 60
"""Characters of a value that an error repeats."""


class FilteredCommand(click.Command):
    """A command whose function takes a `choice: ListFilter` from these options.

    They are made when they are first needed, as their declaration imports more than `kizuna --help` has time
    for.
    """

    @cached_property
    def filter_options(self) -> list[click.Option]:
        """One option a filter; one of several values may be given several times."""
        from serving.lists.filters import ListFilter

        options = []
        for name, option in _flags().items():
            several = get_origin(ListFilter.model_fields[name].annotation) in (tuple, dict)
            choice = click.Choice(option.choices) if option.choices else None
            kind = choice or (click.STRING if several else click.FLOAT)
            options.append(click.Option([option.flag, name], type=kind, multiple=several, help=option.help))
        return options

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, the filters, and --help."""
        params, own = super().get_params(ctx), len(self.params)
        return [*params[:own], *self.filter_options, *params[own:]]

    def invoke(self, ctx: click.Context) -> Any:
        values = {option.name: ctx.params.pop(option.name) for option in self.filter_options if option.name}
        ctx.params |= {"choice": _list_filter(values)}
        try:
            return super().invoke(ctx)
        except UsageError as error:  # of a name that nothing has, found where the list is read
            field = (error.field or "").partition(".")[0]
            option = _flags().get(field)
            if option is None:
                raise
            message = error.message.replace(f" by {field}:", f" by `{option.flag}`:")
            prefix = "" if option.flag in message else f"`{option.flag}`: "
            raise UsageError(prefix + message, field=error.field) from None


def _list_filter(values: dict[str, Any]) -> ListFilter:
    """The filter that these options give; raises `UsageError` for a value that a filter cannot have."""
    from pydantic import ValidationError

    from serving.lists.filters import ListFilter
    from serving.schemas.problems import first_problem

    segment: dict[str, list[str]] = {}
    for text in values.pop("segment"):
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(
                f"cannot filter by the segment '{text}': write --segment NAME=VALUE, such as plan=gold."
            )
        segment.setdefault(name, []).append(value)
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return ListFilter.model_validate({**given, "segment": segment})
    except ValidationError as error:
        problem = first_problem(error)
        field, message = ".".join(str(part) for part in problem.location), problem.message
        option = _flags()[str(problem.location[0])]
        needed = option.value or f"{message[:1].lower()}{message[1:]}"
        raise UsageError(
            f"`{option.flag}` cannot be {_quoted(problem.value)}: {needed}.", field=field
        ) from None


def _flags() -> dict[str, CliOption]:
    """The option of each field of the filter that has one."""
    from serving.lists.filters import CliOption, ListFilter

    return {
        name: option
        for name, field in ListFilter.model_fields.items()
        for option in field.metadata
        if isinstance(option, CliOption)
    }


def _quoted(value: object) -> str:
    if isinstance(value, Collection) and not isinstance(value, str):
        return f"given {len(value)} times"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
