"""The command `kizuna simulate`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.cli.context import CliContext


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--customers", default=20_000, show_default=True, type=click.IntRange(1, 10_000_000))
@click.option(
    "--months", default=24, show_default=True, type=click.IntRange(2, 120), help="Up to 2024-12-31."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.pass_obj
def simulate(call: CliContext, folder: Path, customers: int, months: int, seed: int) -> None:
    """Write a project of a simulated subscription service, with the truth about it apart.

    Its time stands still at the end of the record: now.txt holds the instant, and every answer says so.

    \b
    Example:
      kizuna simulate shop --customers 20000
      kizuna -C shop ingest
    """
    from serving.application.operation.create_project import simulate as write_project

    with call.progress() as progress:
        written = write_project(
            call.new_project(folder),
            call.actor,
            customers=customers,
            months=months,
            seed=seed,
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
