"""Commands of whoever runs a project: the service, its keys, the audit log, and erasing a customer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import shell_word
from serving.cli.context import CliContext

if TYPE_CHECKING:
    from serving.state.api_keys import ApiKey


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=3000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option(
    "--open", "open_to_this_machine", is_flag=True,
    help="Let everybody on this machine in, while the project has no key and no account.",
)  # fmt: skip
@click.pass_obj
def serve(call: CliContext, host: str, port: int, workers: int, open_to_this_machine: bool) -> None:
    """Run the prediction service and its console.

    People sign in to the console (`kizuna users add NAME`), and every call needs an API key (`kizuna keys add
    NAME`). While the project has neither, --open lets everybody on this machine in.

    \b
    Example:
      kizuna serve --open --port 3000
      curl -H 'Content-Type: application/json' -d '{"customer_ids": ["1"]}' localhost:3000/v1/score
    """
    from serving.integrations.listener import require_free

    require_free(host, port)  # the service takes seconds to load
    from serving.api.server import run

    run(call.project, host, port, workers, open_to_this_machine=open_to_this_machine)


@click.command()
@click.argument("customer")
@click.pass_obj
def erase(call: CliContext, customer: str) -> None:
    """Remove every trace of CUSTOMER and print a receipt."""
    from serving.application.data.erase import erase as erase_customer

    with call.workspace() as workspace:
        receipt = erase_customer(workspace, call.actor, customer)
    names = " and ".join((customer, *receipt.other_ids))
    backups = [{"file": backup.file, "at": call.day(backup.at)} for backup in receipt.backups]
    folders = Counter(file.rpartition("/")[0] for file in receipt.checked)
    call.answer(
        {
            "customer_id": customer,
            "events": receipt.events,
            "refused_rows": receipt.refused_rows,
            "score_files": receipt.score_files,
            "score_files_deleted": list(receipt.score_files_deleted),
            "checked": list(receipt.checked),
            "left_in": list(receipt.left_in),
            "not_read": list(receipt.not_read),
            "backups": backups,
            "other_ids": list(receipt.other_ids),
            "campaigns": list(receipt.campaigns),
        },
        f"Erased {names}: {receipt.events:,} events, {receipt.score_files:,} score files rewritten.",
        *(f"  deleted the unreadable {file}" for file in receipt.score_files_deleted),
        *(f"  taken out of the campaign '{one}', which counts them as erased" for one in receipt.campaigns),
        *(f"  nothing left in {folder} ({files:,} files read)" for folder, files in sorted(folders.items())),
        *(
            f"  left in {file}, which is not rewritten: delete it, where it is a model after `kizuna train`"
            for file in receipt.left_in
        ),
        *(f"  not searched: {place}" for place in receipt.not_read),
        *(f"  still in the backup {one['file']} of {one['at']}: delete it" for one in backups),
        "Rows of theirs in any source stay out of every ingest, until "
        f"`kizuna readmit {shell_word(customer)}`.",
    )


@click.command()
@click.argument("customer")
@click.pass_obj
def readmit(call: CliContext, customer: str) -> None:
    """Let rows of CUSTOMER, who was erased, in again with the next ingest."""
    from serving.application.data.readmit import readmit as readmit_customer

    with call.workspace() as workspace:
        readmit_customer(workspace, call.actor, customer)
    call.answer(
        {"customer_id": customer, "readmitted": True},
        f"{customer} may come back: the next `kizuna ingest` takes their rows as a new customer's.",
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def backup(call: CliContext, file: Path) -> None:
    """Write events, records, models, scores, plans and settings into the archive FILE.

    The service may run and write meanwhile. The archive names customers: only its owner may read it. The list
    of erased customers, as hashes, is put beside it and follows later erasures: keep the two together.

    \b
    Example:
      kizuna backup shop-2026-03-01.kizuna
    """
    from serving.application.operation.backup import backup as write_backup

    with call.workspace() as workspace, call.progress() as progress:
        made = write_backup(workspace, call.actor, file, progress)
    call.answer(
        {
            "file": str(made.file),
            "bytes": made.size,
            "data_version": made.data_version,
            "not_included": list(made.not_included),
        },
        f"Wrote {made.file} ({made.size / 1e6:,.1f} MB) with the events of version {made.data_version}.",
        *(f"  not included: {place}" for place in made.not_included),
    )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--without-erasures",
    metavar="REASON",
    help="Restore although nobody knows who was erased since; the audit log keeps the reason.",
)
@click.pass_obj
def restore(call: CliContext, file: Path, folder: Path, without_erasures: str | None) -> None:
    """Make a project in the new FOLDER from the archive FILE; who was erased since stays erased.

    \b
    Example:
      kizuna restore shop-2026-03-01.kizuna shop-again
    """
    from serving.application.operation.restore import restore as restore_archive

    with call.progress() as progress:
        made = restore_archive(
            call.new_project(folder), call.actor, file, without_erasures=without_erasures, progress=progress
        )
    call.say(
        {
            "folder": str(made.folder),
            "data_version": made.data_version,
            "erased": made.erased,
            "not_included": list(made.not_included),
        },
        f"Restored {file} into {made.folder}; {made.erased:,} customers were erased since and are again.",
        *(f"  not included: {place}" for place in made.not_included),
    )


@click.command()
@click.argument("customer", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many entries.")
@click.pass_obj
def audit(call: CliContext, customer: str | None, limit: int) -> None:
    """Who changed what, and who asked the service for whom: the newest entries, or those about CUSTOMER."""
    from serving.application.access.audit import audit as read_audit

    with call.workspace() as workspace:
        trail = read_audit(workspace, call.actor, customer, limit=limit)
    rows = [
        {
            "at": call.day(entry.at),
            "who": entry.who,
            "action": entry.action,
            "customers": entry.customers,
            "details": entry.details,
        }
        for entry in trail.entries
    ]
    lines = [
        f"{call.day(entry.at)}  {entry.who}  {entry.action}  "
        + (entry.details or f"{entry.customers:,} customer{'' if entry.customers == 1 else 's'}")
        for entry in trail.entries
    ]
    call.answer({"asked": rows}, *(lines or ["Nothing was changed, and nobody asked yet."]))


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
    from serving.application.access.keys import add_key as add

    with call.workspace() as workspace:
        new = add(workspace, call.actor, name, scopes)
    call.answer(
        {"name": name, "key": new.key, "scopes": list(new.scopes)},
        new.key,
        "Keep it safe: only its hash is stored. Send it as `Authorization: Bearer KEY`.",
    )


@keys.command("list")
@click.pass_obj
def list_keys(call: CliContext) -> None:
    """Every key there is or was, without the keys themselves."""
    from serving.application.access.keys import list_keys as list_all

    with call.workspace() as workspace:
        listed = list_all(workspace, call.actor)

    def day(instant: int | None) -> str | None:
        return None if instant is None else call.day(instant)

    def use(key: ApiKey) -> str:
        if key.revoked_at:
            return f"{'opens until' if key.opens(listed.now) else 'revoked'} {day(key.revoked_at)}"
        return f"last used {day(key.last_used_at) or 'never'}"

    rows = [
        {
            "name": key.name,
            "scopes": list(key.scopes),
            "created_at": day(key.created_at),
            "last_used_at": day(key.last_used_at),
            "revoked_at": day(key.revoked_at),
        }
        for key in listed.keys
    ]
    lines = [f"{key.name}: {', '.join(key.scopes)}; {use(key)}" for key in listed.keys]
    call.answer({"keys": rows}, *(lines or ["There are no keys. Make one with `kizuna keys add NAME`."]))


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
    from serving.application.access.keys import rotate_key as rotate

    with call.workspace() as workspace:
        rotated = rotate(workspace, call.actor, name, hours)
    call.answer(
        {"name": name, "key": rotated.key, "old_key_hours": hours},
        rotated.key,
        f"Keep it safe: only its hash is stored. The old one opens for {hours:g} more hours.",
    )


@keys.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke_key(call: CliContext, name: str) -> None:
    """Let every key called NAME open nothing any more, a rotated one in its grace too."""
    from serving.application.access.keys import revoke_keys

    with call.workspace() as workspace:
        revoke_keys(workspace, call.actor, name)
    call.answer({"name": name, "revoked": True}, f"Revoked {name}.")
