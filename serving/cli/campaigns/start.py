"""The commands that draw a campaign, end its hold and list campaigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import click

from features.errors import UsageError
from serving.cli.context import LANGUAGES, ORDERS, CliContext
from serving.cli.filter_options import FilteredCommand

if TYPE_CHECKING:
    from serving.lists.campaign_draw import CampaignDeclaration
    from serving.lists.campaign_preview import CampaignPreview
    from serving.lists.filters import ListFilter
    from training.bundle.list_policy import ListOrder

Command = TypeVar("Command", bound=Callable[..., Any])


class DeclarationOptions(TypedDict):
    """The options by which a campaign is declared, as they were written."""

    from_plan: bool
    limit: int | None
    order_by: ListOrder | None
    control: str | None
    hold: int | None
    review: str | None
    by: tuple[str, ...]
    overlap: bool
    contact_channel: str


def _declaration_options(command: Command) -> Command:
    """The options by which a campaign is declared, besides the filters."""
    for option in reversed(
        (
            click.option("--plan", "from_plan", is_flag=True, help="Draw those planned by `kizuna plan`."),
            click.option(
                "--limit", type=click.IntRange(min=1), help="How many customers [capacity.contacts]."
            ),
            click.option(
                "--order-by",
                type=ORDERS,
                help="Who comes first [value_at_risk, where events carry amounts].",
            ),
            click.option("--control", metavar="SHARE", help="The control group [campaigns.control]."),
            click.option(
                "--hold",
                type=click.IntRange(1, 3650),
                metavar="DAYS",
                help="How long the control group is held back [campaigns.hold_days].",
            ),
            click.option("--review", metavar="MONTHS", help="Review dates [campaigns.review_months]."),
            click.option(
                "--by",
                multiple=True,
                metavar="ATTRIBUTE",
                help="Report by this attribute too; may be repeated.",
            ),
            click.option("--overlap", is_flag=True, help="Take the treated of other campaigns too."),
            click.option(
                "--contact-channel",
                default="",
                metavar="CHANNEL",
                help="How they are contacted: who refuses it is left out [the one --channel].",
            ),
            click.option("--dry-run", is_flag=True, help="Show it and keep nothing."),
            click.option("--language", type=LANGUAGES, help="The language of the summary [language]."),
        )
    ):
        command = option(command)
    return command


@click.command(cls=FilteredCommand)
@click.argument("name")
@_declaration_options
@click.pass_obj
def draft(
    call: CliContext,
    /,
    name: str,
    choice: ListFilter,
    dry_run: bool,
    language: str | None,
    **options: Unpack[DeclarationOptions],
) -> None:
    """Keep the filters and sizes of a campaign; nobody is assigned and nobody is held back.

    A draft can be drafted again until it is started.
    """
    from serving.application.campaigns.draft import draft_campaign

    with call.workspace() as workspace:
        declaration = _declaration(choice, options)
        preview = draft_campaign(workspace, call.actor, name, declaration, dry_run=dry_run)
    _show(call, preview, language, dry_run=dry_run)


@click.command(cls=FilteredCommand)
@click.argument("name")
@_declaration_options
@click.option("--yes", is_flag=True, help="Start it although there are too few customers.")
@click.pass_obj
def start(
    call: CliContext,
    /,
    name: str,
    choice: ListFilter,
    dry_run: bool,
    language: str | None,
    yes: bool,
    **options: Unpack[DeclarationOptions],
) -> None:
    """Assign the customers of the list to treatment and control at random, and hold the control group back.

    Takes every filter of `kizuna at-risk`; or what `kizuna campaign draft NAME` laid down, without options.
    Only who may be contacted now is assigned, and nobody who is in another campaign. With too few customers
    it is refused unless --yes is given.

    \b
    Examples:
      kizuna campaign start spring --limit 2000 --tier casual --dry-run
      kizuna campaign start calls --plan --touch high --control 20% --hold 120 --by plan
    """
    from serving.application.campaigns.start import start_campaign
    from serving.lists.campaign_draw import CampaignDeclaration
    from serving.lists.filters import ListFilter as Filters

    declaration = _declaration(choice, options)
    given = declaration != CampaignDeclaration(Filters())
    with call.workspace() as workspace:
        preview = start_campaign(
            workspace, call.actor, name, declaration if given else None, accept_few=yes, dry_run=dry_run
        )
    _show(call, preview, language, dry_run=dry_run)


@click.command()
@click.argument("name")
@click.pass_obj
def stop(call: CliContext, name: str) -> None:
    """End the hold of a campaign: its control group may be contacted again."""
    from serving.application.campaigns.stop import stop_campaign
    from serving.presentation.campaigns import campaign_reply

    with call.workspace() as workspace:
        record = stop_campaign(workspace, call.actor, name)
    call.answer(
        campaign_reply(record, call.project.timeline),
        f"Stopped the campaign '{name}'. Its control group is held back no longer.",
    )


@click.command("list")
@click.argument("name", required=False)
@click.option("--replay", is_flag=True, help="Draw the arms of NAME again from its record and compare them.")
@click.option("--language", type=LANGUAGES, help="The language of the summary [language].")
@click.pass_obj
def list_(call: CliContext, name: str | None, replay: bool, language: str | None) -> None:
    """Show every campaign, or the one called NAME."""
    from serving.application.campaigns.list_campaigns import (
        list_campaigns,
        read_campaign,
        replay_assignment,
    )
    from serving.presentation.campaigns import campaign_reply, list_lines

    if replay and name is None:
        raise UsageError("cannot replay without a name: write `kizuna campaign list NAME --replay`.")
    with call.workspace() as workspace:
        if name is not None and replay:
            found = replay_assignment(workspace, call.actor, name)
            call.answer(
                {"campaign": name, **vars(found)},
                f"Drew the {found.customers:,} customers of '{name}' again: {found.different:,} are in "
                f"another arm ({found.erased:,} were erased since).",
            )
            return
        records = (
            list_campaigns(workspace, call.actor)
            if name is None
            else [read_campaign(workspace, call.actor, name).record]
        )
    replies = [campaign_reply(one, call.project.timeline) for one in records]
    call.answer({"campaigns": replies}, *list_lines(replies, language or call.project.settings.language))


def _declaration(choice: ListFilter, options: DeclarationOptions) -> CampaignDeclaration:
    from serving.lists.campaign_draw import CampaignDeclaration

    return CampaignDeclaration(
        choice.model_copy(update={"limit": options["limit"], "order_by": options["order_by"]}),
        "plan" if options["from_plan"] else "list",
        None if options["control"] is None else _share(options["control"]),
        options["hold"],
        None if options["review"] is None else _months(options["review"]),
        tuple(dict.fromkeys(options["by"])),
        options["overlap"],
        options["contact_channel"],
    )


def _share(text: str) -> float:
    from serving.schemas.shares import read_share

    try:
        return read_share(text)
    except ValueError:
        raise UsageError(
            f"`--control` cannot be {text}: write a share such as 10% or 0.1.", field="control"
        ) from None


def _months(text: str) -> tuple[int, ...]:
    try:
        months = sorted({int(part) for part in text.split(",")})
    except ValueError:
        months = []
    if not months or not 1 <= months[0] <= months[-1] <= 60:
        raise UsageError(
            f"`--review` cannot be {text}: write months from 1 to 60, such as 1,3,6,12.", field="review"
        )
    return tuple(months)


def _show(call: CliContext, preview: CampaignPreview, language: str | None, *, dry_run: bool) -> None:
    from serving.presentation.campaigns import drawn_lines, drawn_reply

    reply = drawn_reply(preview, call.project.timeline, dry_run=dry_run)
    call.answer(reply, *drawn_lines(reply, language or call.project.settings.language))
