"""Starting a campaign: the one moment in which customers are assigned to treatment and control."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.errors import DataError, UsageError
from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.experiments import campaign_file
from serving.experiments.held_back import assignment_file
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.campaign_preview import CampaignDrawing, CampaignPreview, declared, started
from serving.lists.filters import ListFilter
from serving.state.campaigns.campaign_index import (
    DRAFT,
    CampaignRecord,
    find_campaign,
    name_taken,
    new_seed,
    save_start,
)
from serving.state.campaigns.campaign_notes import checked_campaign_note, save_campaign_note
from serving.state.remote.state_files import delete


@use_case("start_campaign")
def start_campaign(
    workspace: Workspace,
    actor: Actor,
    name: str,
    declaration: CampaignDeclaration | None = None,
    *,
    accept_few: bool = False,
    dry_run: bool = False,
    seed: int | None = None,
    note: str = "",
) -> CampaignPreview:
    """Draw a campaign and keep its assignment: the file first, then the row that makes it count.

    Without a declaration that of its draft counts, on the scores in use now; without a draft, the whole list.
    `note` says what the campaign is for. Raises `UsageError` for a name that is taken, for a note that is too
    long, and where there are too few customers, unless `accept_few`; `DataError` where nobody can be drawn,
    or customers were drawn by another campaign at the same moment.
    """
    note = checked_campaign_note(note)
    workspace = workspace.pinned()
    database, project = workspace.database, workspace.project
    draft = find_campaign(database, name)
    if draft is not None and draft.state != DRAFT:
        raise name_taken(name, draft.state)
    if draft is not None and declaration is not None:
        raise UsageError(
            f"cannot start the campaign '{name}' with other options: its draft lays them down. "
            f"Run `kizuna campaign draft {name}` with them first, or leave them out.",
            field="name",
        )
    reader, now = workspace.scores.current(), workspace.clock()
    drawing = CampaignDrawing(project, workspace.store, database, reader, now)
    seed = new_seed() if seed is None else seed
    asked = declared(draft) if draft is not None else declaration or CampaignDeclaration(ListFilter())
    preview = drawing.preview(name, asked, actor.name, seed)
    if draft is not None and draft.score_file != reader.file:
        preview = replace(
            preview,
            warnings=(
                f"the scores are newer than those of the draft: it had {draft.treatment + draft.control:,} "
                f"customers, now there are {len(preview.assignment):,}",
                *preview.warnings,
            ),
        )
    preview = started(preview, seed, now, f"{seed:016x}-{now:x}.arrow")
    if dry_run:
        return preview
    if preview.too_few and not accept_few:
        raise UsageError(
            f"cannot start the campaign '{name}' without a word of yours: {'; '.join(preview.too_few)}. "
            "Give wider filters, or --yes to start it all the same.",
            field="yes",
        )
    campaign_file.save(assignment_file(project, preview.record), preview.assignment)

    def refuse_common_customers(other: CampaignRecord) -> None:
        theirs = campaign_file.load(assignment_file(project, other))
        mine = preview.assignment.keys
        common = np.isin(mine, theirs.control if asked.overlap else theirs.keys)
        if common.any():
            raise DataError(
                f"cannot start the campaign '{name}': '{other.name}' was started at the same moment and has "
                f"{int(common.sum())} of its customers. Start it again: they are left out then."
            )

    try:
        save_start(database, preview.record, preview.holding_back, refuse_common_customers, now)
    except (DataError, UsageError):
        delete(assignment_file(project, preview.record))
        raise
    if note:
        save_campaign_note(database, name, note, actor.name, now)
    return preview
