"""Trained models: which there are, which is the champion, and another one in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.integrations.training import tracking
from serving.state.audit_log import record_action
from training.bundle.model_bundle import Bundle
from training.bundle.promotions import PROMOTIONS, champion_before, promotion_log
from training.registry.gates import GateDecision
from training.registry.mlflow_tracking import Tracking
from training.registry.promotion_log import log_promotion
from training.registry.registered_models import RegisteredModel

FIGURES = ("auc", "log_loss", "expected_calibration_error", "lift_at_capacity")
BY_HAND = "by hand: no gate was asked"


@dataclass(frozen=True)
class TrainedModel:
    """A version in the registry, and what the gates said of it."""

    model: RegisteredModel
    figures: Mapping[str, float]
    """The headline figures."""
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class ModelList:
    """Every trained version, the newest first."""

    models: tuple[TrainedModel, ...]


@dataclass(frozen=True)
class NewChampion:
    """The version that was put in the champion's place by hand."""

    version: str
    action: str
    """`promote` or `rollback`."""
    fingerprint: str


@use_case("read_model")
def list_models(workspace: Workspace, actor: Actor) -> ModelList:
    """Every trained version with its headline figures and the gates' decision."""
    decisions = {
        line["version"]: line
        for line in promotion_log(workspace.project.state / PROMOTIONS)
        if line.get("action", "train") == "train"
    }
    return ModelList(
        tuple(
            TrainedModel(
                model,
                {name: model.figures[name] for name in FIGURES if name in model.figures},
                tuple(decisions.get(model.version, {}).get("refusals", ())),
                tuple(decisions.get(model.version, {}).get("warnings", ())),
            )
            for model in tracking(workspace.project).registered()
        )
    )


@dataclass(frozen=True)
class ExperimentAddress:
    """Where MLflow's screens show the project's training runs."""

    url: str


@use_case("read_model")
def experiment_address(workspace: Workspace, actor: Actor, server: str) -> ExperimentAddress:
    """The address of the project's experiment on MLflow's server at this address."""
    return ExperimentAddress(tracking(workspace.project).experiment_address(server.rstrip("/")))


@use_case("promote")
def promote(workspace: Workspace, actor: Actor, version: str) -> NewChampion:
    """Make a version the champion, whatever the gates said; the promotion log says that it was by hand.

    Raises `UsageError` for a version that is not registered or is the champion already.
    """
    registry = tracking(workspace.project)
    registered = registry.registered()
    chosen = next((model for model in registered if model.version == version), None)
    if chosen is None:
        versions = ", ".join(model.version for model in reversed(registered))
        raise UsageError(
            f"cannot promote version {version}: there is no such model. "
            + (
                f"Choose one of {versions}; see `kizuna models list`."
                if versions
                else "Train one with `kizuna train`."
            ),
            field="version",
        )
    if chosen.champion:
        raise UsageError(f"cannot promote version {version}: it is the champion already.", field="version")
    return _install(workspace, actor, registry, chosen, action="promote")


@use_case("promote")
def rollback(workspace: Workspace, actor: Actor, champion: str | None = None) -> NewChampion:
    """Put the champion before the present one back in its place; raises `UsageError` where there is none.

    `champion` is the present one as whoever asks saw it. Where it is another by now, because somebody was
    faster or the same rollback was asked for twice, nothing is done and `UsageError` raised.
    """
    registry = tracking(workspace.project)
    registered = {model.version: model for model in registry.registered()}
    present = next((model.version for model in registered.values() if model.champion), None)
    if champion is not None and champion != present:
        raise UsageError(
            f"cannot roll back from version {champion}: it is not the champion any more. Look at the models "
            "again, and decide anew.",
            field="champion",
        )
    earlier = champion_before(promotion_log(workspace.project.state / PROMOTIONS), present)
    if earlier is None or earlier not in registered:
        where = "there is no champion yet"
        if present is not None:
            where = f"version {present} is the first champion"
        if earlier is not None:
            where = f"version {earlier}, the champion before, is registered no more"
        raise UsageError(
            f"cannot roll back: {where}. `kizuna models list` shows every version, and "
            "`kizuna models promote VERSION` takes any of them."
        )
    return _install(workspace, actor, registry, registered[earlier], action="rollback")


def _install(
    workspace: Workspace, actor: Actor, registry: Tracking, chosen: RegisteredModel, *, action: str
) -> NewChampion:
    """Log the decision, then move the alias; a bundle that is lost or damaged changes nothing."""
    bundle, now = Bundle.load(registry.bundle_of(chosen.version)), workspace.clock()
    timeline = workspace.project.timeline
    log_promotion(
        workspace.project.state / PROMOTIONS,
        GateDecision(
            True, (), (BY_HAND,), {name: chosen.figures[name] for name in FIGURES if name in chosen.figures}
        ),
        decided_at=timeline.name(now),
        action=action,
        version=chosen.version,
        run=chosen.run_id,
        fingerprint=bundle.fingerprint,
        trained_until=timeline.name(bundle.trained_until),
    )
    registry.promote(chosen.version)
    with workspace.database.writing() as connection:
        record_action(connection, actor.name, f"models {action}", now, details=f"version {chosen.version}")
    return NewChampion(chosen.version, action, bundle.fingerprint)
