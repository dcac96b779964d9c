"""Whether one trained model is better than another: paired differences on the same customers and dates."""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.integrations.comparison_log import log_comparison
from serving.integrations.training import tracking, training_config
from training.bundle.model_bundle import Bundle
from training.comparison import PairedComparison, compare_bundles
from training.registry.registered_models import RegisteredModel


@use_case("analyse")
def compare_runs(workspace: Workspace, actor: Actor, first: str, second: str) -> PairedComparison:
    """The second run against the first (versions, or MLflow's run ids); logged in MLflow as a run of its own.

    Raises `UsageError` for a run that registered no model, and for two that answer different questions.
    """
    registry = tracking(workspace.project)
    registered = registry.registered()
    versions = [_version(registered, one) for one in (first, second)]
    bundles = [Bundle.load(registry.bundle_of(version)) for version in versions]
    store = workspace.store.pinned()
    config = training_config(workspace.project, workspace.database, store.customers.aliases)
    found = compare_bundles(store, config, bundles[0], bundles[1], now=workspace.clock())
    log_comparison(registry, (f"version {versions[0]}", f"version {versions[1]}"), found, found)
    return found


def _version(registered: Sequence[RegisteredModel], given: str) -> str:
    """The version that was given, or that a run registered."""
    for model in registered:
        if given in (model.version, model.run_id):
            return model.version
    versions = ", ".join(model.version for model in reversed(registered)) or "none"
    raise UsageError(
        f"cannot compare '{given}': no model is registered under this version or run id. There are versions "
        f"{versions}; see `kizuna models list`.",
        field="run",
    )
