"""The command `kizuna simulate`."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from features.errors import UsageError
from serving.cli.context import CliContext


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--customers", default=20_000, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option(
    "--months", default=24, show_default=True, type=click.IntRange(2, 120), help="Up to 2024-12-31."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option(
    "--messy",
    default=0.0,
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Make the exports as dirty as real ones: CSV with this share of dirty rows, 0.05 for 5 %.",
)
@click.option(
    "--dirt",
    multiple=True,
    metavar="KIND",
    help="With --messy: only this kind of dirt, such as flags, moments or second_contracts; repeatable.",
)
@click.option(
    "--advance",
    type=click.IntRange(1, 120),
    metavar="MONTHS",
    help="Let a service that was simulated before live on for so many months, and move its time on.",
)
@click.option(
    "--contacts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="With --advance: the personal contacts of these months, as CSV or Parquet with customer_id, at, "
    "and if wanted kind (call_made, coupon_sent) and campaign. Without: the service's own, by chance.",
)
@click.pass_context
def simulate(
    context: click.Context,
    folder: Path,
    customers: int,
    months: int,
    seed: int,
    messy: float,
    dirt: tuple[str, ...],
    advance: int | None,
    contacts: Path | None,
) -> None:
    """Write a project of a simulated subscription service, with the truth about it apart.

    Its time stands still at the end of the record: now.txt holds the instant, and every answer says so.
    --advance lets it live on: customers respond to being contacted as they are made, and the tables grow.

    \b
    Examples:
      kizuna simulate shop --customers 20000
      kizuna -C shop ingest
      kizuna simulate shop --advance 3 --contacts called.csv
      kizuna simulate messy --customers 500 --messy 0.05
    """
    call: CliContext = context.obj
    if advance is not None:
        _advance(context, call, folder, advance, contacts)
        return
    if contacts is not None:
        raise UsageError(
            "cannot take --contacts here: they belong to months that a simulated service lives on. "
            "Add --advance MONTHS, or leave --contacts out."
        )
    if dirt and not messy:
        raise UsageError("cannot take --dirt alone: say how much, as in `--messy 0.05`.")
    from serving.application.operation.create_project import simulate as write_project

    with call.progress() as progress:
        written = write_project(
            call.new_project(folder),
            call.actor,
            customers=customers,
            months=months,
            seed=seed,
            messy=messy,
            dirt=dirt,
            progress=progress,
        )
    call.say(
        {
            "folder": str(folder),
            "customers": written.customers,
            "events": written.events,
            "rows": dict(written.rows),
            "record": dict(written.record),
        },
        f"Wrote {written.customers:,} customers with {written.events:,} events from "
        f"{written.record['from']} to {written.record['until']} into {folder}.",
        f"Next: kizuna -C {folder} ingest",
    )


def _advance(
    context: click.Context, call: CliContext, folder: Path, months: int, contacts: Path | None
) -> None:
    """Move a simulated service on."""
    for name in ("customers", "months", "seed", "messy", "dirt"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise UsageError(
                f"cannot take --{name} together with --advance: the service keeps what it was simulated "
                f"with. Leave --{name} out."
            )
    from serving.application.operation.create_project import advance_simulation

    with call.progress() as progress:
        moved = advance_simulation(
            call.new_project(folder), call.actor, months=months, contacts=contacts, progress=progress
        )
    reached = ""
    if moved.contacts is not None:
        reached = (
            f" {moved.contacts:,} contacts, {moved.came_too_late:,} of them after the customer had left."
        )
    call.say(
        {
            "folder": str(moved.folder),
            "now": moved.now,
            "customers": moved.customers,
            "newcomers": moved.newcomers,
            "there": moved.there,
            "events": moved.events,
            "contacts": moved.contacts,
            "came_too_late": moved.came_too_late,
        },
        f"It is {moved.now[:10]} in {folder}: {moved.events:,} more events, {moved.newcomers:,} new "
        f"customers, {moved.there:,} customers there.{reached}",
        f"Next: kizuna -C {folder} ingest",
    )
