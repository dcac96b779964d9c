"""The command that lets an erased customer in again."""

from __future__ import annotations

import click

from serving.cli.context import CliContext


@click.command()
@click.argument("customer")
@click.pass_obj
def readmit(call: CliContext, customer: str) -> None:
    """Let rows of CUSTOMER, who was erased, in again with the next ingest."""
    call.store.readmit(customer)
    with call.records() as records:
        records.note("command line", "readmit", call.now)
    call.say(
        {"customer_id": customer, "readmitted": True},
        f"{customer} may come back: the next `kizuna ingest` takes their rows as a new customer's.",
    )
