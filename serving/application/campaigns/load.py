"""The effect of a campaign that was run elsewhere, from a table with one row a customer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from features.errors import UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import ProjectFolder, Workspace
from serving.experiments.outside.outside_campaign import TableColumns, outside_campaign
from serving.experiments.outside.outside_reply import loaded_reply
from serving.schemas.campaign_results import LoadedCampaignReply
from serving.schemas.json_text import to_json
from serving.state.campaigns.campaign_index import (
    LOADED,
    CampaignRecord,
    find_campaign,
    name_taken,
    refuse_reserved_name,
    save_loaded,
)

LONGEST_NAME = 80


@dataclass(frozen=True)
class LoadedResult:
    """The result of a campaign that was run elsewhere, and whether the project keeps it."""

    result: LoadedCampaignReply
    stored: bool
    """False where one of its name was loaded before and is not to be replaced."""


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
    replacing: bool = False,
) -> LoadedResult:
    """Compare the treated arms of an outside table with its control arm, and keep the result under a name.

    The project needs no events. A result that was loaded before under the name stays, unless `replacing`.
    Raises `UsageError` for the name of a campaign of this project; see `outside_campaign` for what `treated`
    says and for the other errors. The table itself is not kept.
    """
    _require_name(name)
    known = find_campaign(workspace.database, name)
    if known is not None and known.state != LOADED:
        raise name_taken(name, known.state)
    result = loaded_reply(outside_campaign(name, file, columns, control=control, treated=treated))
    now = workspace.clock()
    record = _record(result, file, columns, actor.name, now)
    stored = save_loaded(workspace.database, record, to_json(result), now, replacing=replacing)
    return LoadedResult(result, stored)


@use_case("analyse")
def analyse_table(
    place: ProjectFolder,
    actor: Actor,
    name: str,
    file: Path,
    columns: TableColumns,
    *,
    control: str,
    treated: Sequence[str] = (),
) -> LoadedResult:
    """The same where there is no project: nothing is kept."""
    _require_name(name)
    found = outside_campaign(name, file, columns, control=control, treated=treated)
    return LoadedResult(loaded_reply(found), stored=False)


def _record(
    result: LoadedCampaignReply, file: Path, columns: TableColumns, who: str, now: int
) -> CampaignRecord:
    """A row for the list of campaigns: no dates, as nobody of this project was assigned."""
    control = result.arms[result.effects[0].control]
    compared = {one.treated for one in result.effects}
    treatment = sum(count for arm, count in result.arms.items() if arm in compared)
    declaration = asdict(columns) | {"file": file.name, "control": result.effects[0].control}
    return CampaignRecord(
        name=result.campaign,
        state=LOADED,
        source="table",
        filters=json.dumps(declaration, ensure_ascii=False),
        control_share=control / (treatment + control),
        hold_days=0,
        review_months=(),
        touch_models=(),
        segments=(),
        overlap=False,
        who=who,
        created_at=now,
        treatment=treatment,
        control=control,
    )


def _require_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise UsageError(
            f"cannot load a campaign without a name of 1 to {LONGEST_NAME} characters. "
            "Give one, such as 'spring-mail'.",
            field="name",
        )
    refuse_reserved_name(name)
