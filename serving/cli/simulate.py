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

    \b
    Example:
      kizuna simulate shop --customers 20000
      kizuna -C shop ingest
    """
    from features.simulation.simulate import simulate as write

    with call.progress() as report:
        written = write(folder, customers=customers, months=months, seed=seed, progress=report)
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
