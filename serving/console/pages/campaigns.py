"""Campaigns: all of them at a glance, and one with its arms, its delivery and what it did."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from features.catalog.display_names import in_language
from features.errors import DataError, ModelError, UsageError
from serving.application.campaigns.contacts import record_pasted_contacts
from serving.application.campaigns.export import CSV, WEBHOOK, export_campaign, preview_export
from serving.application.campaigns.note import note_campaign
from serving.application.campaigns.overview import CampaignOverview, campaign_overview, campaign_overviews
from serving.application.campaigns.preview import preview_draft
from serving.application.campaigns.start import start_campaign
from serving.application.campaigns.stop import stop_campaign
from serving.application.campaigns.stored_results import loaded_result
from serving.console.charts import svg
from serving.console.pages.campaign_start import confirmation
from serving.console.pages.files import file_name
from serving.console.pages.jobs import job_address
from serving.console.visit import Answer, Download, Page, PageValues, Redirect, Visit
from serving.integrations.crm_columns import READY
from serving.jobs.runner import jobs, start
from serving.presentation.campaign_report.loaded_effects import effect_cells, effect_headers
from serving.presentation.campaign_report.view import (
    effect_charts,
    gain_cards,
    group_charts,
    look_outcomes,
    look_rows,
    review_views,
)
from serving.presentation.campaign_report.words import (
    ARM_COUNTS,
    ARM_NAMES,
    covariate_name,
    outcome_name,
    proven_text,
    review_name,
    sureness,
    translator,
)
from serving.presentation.campaigns import NOT_EXPORTED
from serving.presentation.i18n import listed_channels
from serving.presentation.messages.catalog import translated
from serving.state.campaigns.campaign_index import DRAFT, LOADED


@dataclass(frozen=True)
class CampaignLine:
    """A campaign in the list, with what is known of its effect in words."""

    seen: CampaignOverview
    effect: str
    sure: str
    effect_of: str


def campaign_list(visit: Visit) -> Page:
    """Every campaign, the newest first."""
    found = campaign_overviews(visit.shared, visit.actor)
    return Page(
        "campaigns.html",
        {
            "campaigns": [_line(visit, one) for one in found],
            "has_started": any(one.record.file for one in found),
        },
    )


def _line(visit: Visit, seen: CampaignOverview) -> CampaignLine:
    retained, review = seen.retained, seen.newest_review
    if retained is None or review is None:
        return CampaignLine(seen, "", "soft", "")
    currency = visit.formats.currency
    return CampaignLine(
        seen,
        proven_text(retained, currency, visit.language),
        sureness(retained),
        review_name(review, visit.language),
    )


def one_campaign(visit: Visit) -> Page:
    """One campaign: its arms, its delivery, its effect at each review date."""
    return _campaign_page(visit)


def _campaign_page(visit: Visit, problem: DataError | None = None) -> Page:
    name, language = visit.query.get("name", ""), visit.language
    seen = campaign_overview(visit.shared, visit.actor, name)
    if seen.record.state == LOADED:
        return _loaded(visit, seen)
    running = [one for one in jobs(visit.shared, visit.actor, kind="campaign_report") if not one.is_finished]
    values: PageValues = {
        "seen": seen,
        "line": _line(visit, seen),
        "word": translator(language),
        "arm_names": {arm: in_language(language, *words) for arm, words in ARM_NAMES.items()},
        "arm_counts": ARM_COUNTS,
        "formats": (CSV, *sorted({*READY, *visit.shared.project.settings.crm})),
        "has_webhook": bool(visit.shared.project.settings.webhooks),
        "export_id": secrets.token_urlsafe(16),
        "running_job": running[0].id if running else None,
        "channel_words": listed_channels([seen.record.channel], language),
        "is_draft": seen.record.state == DRAFT,
    }
    values |= _hand_out(visit, seen)
    values |= {
        "problem": None if problem is None else translated(problem.message, language),
        "pasted": visit.form.get("contacts", ""),
    }
    return Page("campaign.html", values | _effects(visit, seen), 200 if problem is None else problem.status)


def _hand_out(visit: Visit, seen: CampaignOverview) -> PageValues:
    """Whom an export would hand out now, for those who may export."""
    if not seen.record.file or not visit.may("contact"):
        return {"handed_out": None}
    try:
        found = preview_export(visit.shared, visit.actor, seen.record.name)
    except ModelError:  # without scores the export itself says what to do
        return {"handed_out": None}
    reasons = [
        (in_language(visit.language, *NOT_EXPORTED[why]), count)
        for why, count in found.left_out.items()
        if count
    ]
    return {"handed_out": found, "not_handed_out": reasons}


def _effects(visit: Visit, seen: CampaignOverview) -> PageValues:
    """What the last computed report says, in words and charts."""
    report, newest, language = seen.report, seen.newest_review, visit.language
    if report is None:
        return {"report": None}
    return {
        "report": report,
        "notes": [translated(one, language) for one in report.notes],
        "newest": newest,
        "newest_name": "" if newest is None else review_name(newest, language),
        "cards": () if newest is None else gain_cards(report, newest, language),
        "charts": [(one, svg(one.svg)) for one in effect_charts(report, language)],
        "reviews": review_views(report, language)[::-1],
        "groups": []
        if newest is None
        else [
            (one, svg(one.svg)) for one in group_charts(report, newest, language, visit.shared.project.words)
        ],
        "look_names": [outcome_name(one, language) for one in look_outcomes(report)],
        "looks": look_rows(report, language),
        "covariates": ", ".join(covariate_name(one, language) for one in report.covariates),
    }


def _loaded(visit: Visit, seen: CampaignOverview) -> Page:
    """A campaign that was run elsewhere: the effects from its table."""
    result, language = loaded_result(visit.shared, visit.actor, seen.record.name), visit.language
    return Page(
        "campaign_loaded.html",
        {
            "seen": seen,
            "result": result,
            "headers": [] if result is None else effect_headers(result, language),
            "rows": [] if result is None else [effect_cells(result, one, language) for one in result.effects],
            "notes": [] if result is None else [translated(one, language) for one in result.notes],
        },
    )


def to_campaign(visit: Visit) -> Redirect:
    """The address of forms is no page: whoever goes back to it sees the campaign."""
    return Redirect(campaign_address(visit.query.get("name", "")))


def campaign_address(name: str) -> str:
    """Where a campaign is shown."""
    return f"/campaign?{urlencode({'name': name})}"


def do_with_campaign(visit: Visit) -> Answer:
    """What the forms of a campaign ask for: start a draft, stop, export, compute, contacts, a note."""
    name, do = visit.query.get("name", ""), visit.form.get("do", "")
    known: dict[str, Callable[[Visit, str], Answer]] = {
        "start": _start_draft,
        "stop": _stop,
        "export": _export,
        "compute": _compute,
        "note": _note,
        "contacts": _contacts,
    }
    if do not in known:
        raise UsageError(
            f"cannot do '{do}' with a campaign: its forms ask for {', '.join(known)}.", field="do"
        )
    return known[do](visit, name)


def _start_draft(visit: Visit, name: str) -> Answer:
    if "confirmed" not in visit.form:
        preview = preview_draft(visit.workspace, visit.actor, name)
        return Page(
            "campaign_confirm.html",
            confirmation(
                visit,
                preview,
                f"/campaign/do?{urlencode({'name': name})}",
                [("do", "start")],
                back=campaign_address(name),
            ),
        )
    start_campaign(visit.workspace, visit.actor, name, accept_few="accept_few" in visit.form)
    return Redirect(campaign_address(name), "campaigns.started_notice", {"name": name})


def _stop(visit: Visit, name: str) -> Answer:
    stop_campaign(visit.workspace, visit.actor, name)
    return Redirect(campaign_address(name), "campaigns.stopped_notice")


def _compute(visit: Visit, name: str) -> Answer:
    return Redirect(job_address(start(visit.shared, visit.actor, "campaign_report", {"campaign": name})))


def _note(visit: Visit, name: str) -> Answer:
    note_campaign(visit.workspace, visit.actor, name, visit.form.get("note", ""))
    return Redirect(campaign_address(name), "campaigns.note_notice")


def _contacts(visit: Visit, name: str) -> Answer:
    try:
        kept = record_pasted_contacts(visit.workspace, visit.actor, name, visit.form.get("contacts", ""))
    except DataError as error:
        return _campaign_page(visit, error)
    values = {"stored": kept.stored, "known": kept.already_there, "left": kept.left_out}
    return Redirect(campaign_address(name), "campaigns.contacts_notice", values)


def _export(visit: Visit, name: str) -> Answer:
    columns = visit.form.get("columns", CSV)
    export_id = visit.form.get("export_id", "") or secrets.token_urlsafe(16)
    exported = export_campaign(
        visit.workspace, visit.actor, name, columns, visit.language, export_id=export_id
    )
    if columns == WEBHOOK:
        return Redirect(campaign_address(name), "campaigns.webhook_notice", {"count": exported.exported})
    lines = exported.file_lines(columns, visit.workspace, visit.language)
    return Download(lines, file_name(visit, name, columns))
