"""The effect of a campaign that was run elsewhere, from a table with one row a customer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments.outside_campaign import LoadedCampaign, TableColumns, outside_campaign


@use_case("analyse")
def load_campaign(
    workspace: Workspace,
    actor: Actor,
    name: str,
    file: Path,
    columns: TableColumns,
    *,
    control: str,
    treated: Sequence[str] = (),
) -> LoadedCampaign:
    """Compare the treated arms of an outside table with its control arm; the project needs no events.

    See `outside_campaign` for what `treated` says and for the errors.
    """
    if not name.strip():
        raise UsageError("cannot load a campaign without a name. Give one, such as 'spring-mail'.")
    return outside_campaign(name, file, columns, control=control, treated=treated)
