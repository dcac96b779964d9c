"""The command `kizuna models`: the trained versions, and putting one in the champion's place by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from serving.cli.context import CliContext

if TYPE_CHECKING:
    from training.registry.mlflow_tracking import RegisteredModel, Tracking

FIGURES = ("auc", "log_loss", "expected_calibration_error", "lift_at_capacity")
BY_HAND = "by hand: no gate was asked"


@click.group()
def models() -> None:
    """Trained models: which there are, which is the champion, and another one in its place."""


@models.command("list")
@click.pass_obj
def list_models(call: CliContext) -> None:
    """Every trained version, the newest first, and what the gates said of it."""
    from training.registry.promotion_log import PROMOTIONS, promotion_log

    held = call.tracking().registered()
    trained = {
        line["version"]: line
        for line in promotion_log(call.project.state / PROMOTIONS)
        if line.get("action", "train") == "train"
    }
    local = call.project.timeline.local
    rows: list[dict[str, Any]] = [
        {
            "version": one.version,
            "champion": one.champion,
            "registered_at": local(one.registered_at).isoformat(timespec="seconds"),
            "trained_until": one.tags.get("trained_until"),
            "data_version": one.tags.get("data_version"),
            "evidence": one.tags.get("evidence"),
            "fingerprint": one.tags.get("fingerprint"),
            "run_id": one.run_id,
            "figures": {name: one.figures[name] for name in FIGURES if name in one.figures},
            "refusals": trained.get(one.version, {}).get("refusals", []),
            "warnings": trained.get(one.version, {}).get("warnings", []),
        }
        for one in held
    ]
    call.say({"models": rows}, *(_lines(rows) or ["There is no model yet. Train one with `kizuna train`."]))


@models.command()
@click.argument("version")
@click.pass_obj
def promote(call: CliContext, version: str) -> None:
    """Make VERSION the champion, whatever the gates said; the promotion log says that it was by hand."""
    from features.errors import UsageError

    tracking = call.tracking()
    held = tracking.registered()
    chosen = next((one for one in held if one.version == version), None)
    if chosen is None:
        there = ", ".join(one.version for one in reversed(held))
        raise UsageError(
            f"cannot promote version {version}: there is no such model. "
            + (
                f"Choose one of {there}; see `kizuna models list`."
                if there
                else "Train one with `kizuna train`."
            ),
            field="version",
        )
    if chosen.champion:
        raise UsageError(f"cannot promote version {version}: it is the champion already.", field="version")
    _install(call, tracking, chosen, action="promote")


@models.command()
@click.pass_obj
def rollback(call: CliContext) -> None:
    """Put the champion before the present one back in its place."""
    from features.errors import UsageError
    from training.registry.promotion_log import PROMOTIONS, champion_before, promotion_log

    tracking = call.tracking()
    held = {one.version: one for one in tracking.registered()}
    present = next((one.version for one in held.values() if one.champion), None)
    earlier = champion_before(promotion_log(call.project.state / PROMOTIONS), present)
    if earlier is None or earlier not in held:
        where = "there is no champion yet"
        if present is not None:
            where = f"version {present} is the first champion"
        if earlier is not None:
            where = f"version {earlier}, the champion before, is registered no more"
        raise UsageError(
            f"cannot roll back: {where}. `kizuna models list` shows every version, and "
            "`kizuna models promote VERSION` takes any of them."
        )
    _install(call, tracking, held[earlier], action="rollback")


def _install(call: CliContext, tracking: Tracking, chosen: RegisteredModel, *, action: str) -> None:
    """Log the decision, then move the alias; a bundle that is lost or damaged changes nothing."""
    from training.bundle.model_bundle import Bundle
    from training.registry.gates import GateDecision
    from training.registry.promotion_log import PROMOTIONS, log_promotion

    bundle = Bundle.load(tracking.bundle_of(chosen.version))
    timeline = call.project.timeline
    log_promotion(
        call.project.state / PROMOTIONS,
        GateDecision(
            True, (), (BY_HAND,), {name: chosen.figures[name] for name in FIGURES if name in chosen.figures}
        ),
        decided_at=timeline.name(call.now),
        action=action,
        version=chosen.version,
        run=chosen.run_id,
        fingerprint=bundle.fingerprint,
        trained_until=timeline.name(bundle.trained_until),
    )
    tracking.promote(chosen.version)
    with call.records() as records:
        records.note("command line", f"models {action}", call.now, details=f"version {chosen.version}")
    call.say(
        {"champion": chosen.version, "action": action, "fingerprint": bundle.fingerprint},
        f"Model {chosen.version} is now the champion. `kizuna score` scores with it; until then the service "
        "answers with the model and scores it has.",
    )


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        figures = row["figures"]
        said = [f"{name.replace('_', ' ')} {figures[name]:.3f}" for name in FIGURES[:2] if name in figures]
        low = ["evidence: low"] if row["evidence"] == "low" else []
        lines.append(
            f"{'*' if row['champion'] else ' '} {row['version']:>3}  until {str(row['trained_until'])[:10]}  "
            + ", ".join([*said, *low])
        )
        lines += [f"       refused: {reason}" for reason in row["refusals"]]
        lines += [f"       warning: {reason}" for reason in row["warnings"]]
    return [*lines, "* is the champion"] if any(row["champion"] for row in rows) else lines
