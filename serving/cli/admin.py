"""Commands of whoever runs a project: the service, its keys, the models, and erasing a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from features.errors import UnknownCustomer
from serving.cli.context import CliContext

if TYPE_CHECKING:
    from serving.state.database import ApiKey


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.pass_obj
def serve(call: CliContext, host: str, port: int, workers: int) -> None:
    """Run the prediction service.

    \b
    Example:
      kizuna serve --port 3000
      curl -H 'Content-Type: application/json' -d '{"customer_ids": ["1"]}' localhost:3000/v1/score
    """
    from serving.api.server import run

    run(call.project, host, port, workers)


@click.command()
@click.argument("customer")
@click.pass_obj
def erase(call: CliContext, customer: str) -> None:
    """Remove every trace of CUSTOMER and print a receipt."""
    from serving.application.data.erase import erase as remove

    with call.records() as records:
        receipt = remove(call.store, call.project.scores, records, customer, call.now)
    call.say(
        receipt,
        f"Erased {customer}: {receipt['events']:,} events, {receipt['score_files']:,} score files rewritten.",
        *(f"  deleted the unreadable {file}" for file in receipt["score_files_deleted"]),
        *(f"  nothing left in {place}" for place in receipt["checked"]),
        f"Rows of theirs in any source stay out of every ingest, until `kizuna readmit {customer}`.",
    )


@click.command()
@click.argument("customer", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many calls.")
@click.pass_obj
def audit(call: CliContext, customer: str | None, limit: int) -> None:
    """Who asked the service for whom: the newest calls, or those that asked for CUSTOMER."""
    import pyarrow as pa

    from serving.state.audit_log import newest_accesses

    key = None
    if customer is not None:
        key = int(call.store.customers.keys(pa.array([customer], pa.string()))[0])
        if key < 0:
            raise UnknownCustomer(customer)
    with call.records() as records:
        asked = newest_accesses(records, customer=key, limit=limit)
    when = call.project.timeline.local
    rows = [
        {
            "at": when(one.at).isoformat(timespec="seconds"),
            "who": one.who,
            "action": one.action,
            "customers": len(one.keys),
        }
        for one in asked
    ]
    lines = [f"{one['at']}  {one['who']}  {one['action']}  {one['customers']:,} customers" for one in rows]
    call.say({"asked": rows}, *(lines or ["Nobody asked yet."]))


@click.group()
def keys() -> None:
    """API keys and their scopes."""


@keys.command("add")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, default=("read", "score"), show_default=True,
    help="What the key opens: read, score, write, admin. May be repeated.",
)  # fmt: skip
@click.pass_obj
def add_key(call: CliContext, name: str, scopes: tuple[str, ...]) -> None:
    """Make a key called NAME; it is shown once."""
    with call.records() as records:
        key = records.add_key(name, scopes, call.now)
        records.note("command line", "keys add", call.now, details=name)
    call.say(
        {"name": name, "key": key, "scopes": sorted(set(scopes))},
        key,
        "Keep it safe: only its hash is stored. Send it as `Authorization: Bearer KEY`.",
    )


@keys.command("list")
@click.pass_obj
def list_keys(call: CliContext) -> None:
    """Every key there is or was, without the keys themselves."""
    with call.records() as records:
        held = records.keys()

    def day(instant: int | None) -> str | None:
        local = call.project.timeline.local
        return None if instant is None else local(instant).isoformat(timespec="seconds")

    def use(key: ApiKey) -> str:
        if key.revoked_at:
            return f"{'revoked' if key.revoked_at <= call.now else 'opens until'} {day(key.revoked_at)}"
        return f"last used {day(key.last_used_at) or 'never'}"

    rows = [
        {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": day(key.created_at),
            "last_used_at": day(key.last_used_at),
            "revoked_at": day(key.revoked_at),
        }
        for key in held
    ]
    lines = [f"{key.name}: {', '.join(key.scopes)}; {use(key)}" for key in held]
    call.say({"keys": rows}, *(lines or ["There are no keys. Make one with `kizuna keys add NAME`."]))


@keys.command("rotate")
@click.argument("name")
@click.option(
    "--hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(0),
    help="How long the old one still opens.",
)
@click.pass_obj
def rotate_key(call: CliContext, name: str, hours: float) -> None:
    """Make a new key called NAME; the old one goes on for a while, so that nobody is locked out."""
    with call.records() as records:
        key = records.rotate_key(name, call.now, round(hours * 3_600_000_000))
        records.note("command line", "keys rotate", call.now, details=name)
    call.say(
        {"name": name, "key": key, "old_key_hours": hours},
        key,
        f"Keep it safe: only its hash is stored. The old one opens for {hours:g} more hours.",
    )


@keys.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke_key(call: CliContext, name: str) -> None:
    """Let the key called NAME open nothing any more."""
    with call.records() as records:
        records.revoke_key(name, call.now)
        records.note("command line", "keys revoke", call.now, details=name)
    call.say({"name": name, "revoked": True}, f"Revoked {name}.")
