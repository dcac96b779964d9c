"""Starting a campaign: sizes and what could be seen while one types, then a draft or a confirmed start."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from features.catalog.display_names import in_language
from features.errors import KizunaError, UsageError
from serving.application.campaigns.draft import draft_campaign
from serving.application.campaigns.preview import preview_campaign
from serving.application.campaigns.start import start_campaign
from serving.application.lists.browse import filter_options
from serving.console.pages.list_form import FilterForm
from serving.console.visit import Answer, Fields, Page, PageValues, Redirect, Visit
from serving.lists.campaign_draw import CampaignDeclaration
from serving.lists.campaign_preview import CampaignPreview
from serving.lists.filters import ListFilter
from serving.lists.list_address import filter_pairs, filter_query, list_filter
from serving.presentation.campaigns import COVARIATES, LEFT_OUT
from serving.presentation.customer_timeline import CONTACT_CHANNELS
from serving.presentation.i18n import listed_channels
from serving.presentation.messages.catalog import translated

START, PREVIEW = "/campaigns/start", "/campaigns/preview"
FIELDS = ("customers", "control", "hold", "review", "channel", "name", "note")
"""The fields of the form; addresses carry what was written in them from step to step."""
ONLY = "only"
"""The button that leaves one planned channel, whose name it sends."""


@dataclass(frozen=True)
class CampaignForm:
    """The fields as they were written."""

    name: str
    note: str
    customers: str
    control: str
    """In percent."""
    hold: str
    review: str
    channel: str
    """Empty for any."""

    @staticmethod
    def of(visit: Visit, fields: Fields, choice: ListFilter) -> CampaignForm:
        """What was written, and the project's settings where nothing was."""
        settings = visit.shared.project.settings
        own = settings.campaigns
        return CampaignForm(
            fields.get("name", "").strip(),
            fields.get("note", "").strip(),
            fields.get("customers", str(choice.limit or settings.capacity.contacts)).strip(),
            fields.get("control", f"{own.control * 100:g}").strip(),
            fields.get("hold", str(own.hold_days)).strip(),
            fields.get("review", ", ".join(map(str, own.review_months))).strip(),
            fields.get("channel", "").strip(),
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each field with what was written."""
        return [(name, getattr(self, name)) for name in FIELDS]

    def declaration(self, choice: ListFilter) -> CampaignDeclaration:
        """What is laid down; raises `UsageError` for a field that cannot be read."""
        months = [_whole("review", part, 1, 60) for part in self.review.replace("、", ",").split(",")]
        return CampaignDeclaration(
            choice.model_copy(update={"limit": _whole("customers", self.customers, 1, 10**9)}),
            control_share=_percent(self.control),
            hold_days=_whole("hold", self.hold, 1, 3650),
            review_months=tuple(sorted(set(months))),
            channel=self.channel,
        )


def campaign_start(visit: Visit) -> Page:
    """The form; what would be drawn comes with `campaign_preview`."""
    choice = list_filter(visit.query.multi_items())
    return Page("campaign_start.html", _form(visit, CampaignForm.of(visit, visit.query, choice), choice))


def written_fields(visit: Visit) -> list[tuple[str, str]]:
    """What the address carries of the form of a campaign, for pages on the way to it."""
    return [(name, visit.query[name]) for name in FIELDS if visit.query.get(name)]


def campaign_preview(visit: Visit) -> Page:
    """The form with what would be drawn now; or the page that asks before a start."""
    choice = list_filter(visit.query.multi_items())
    if visit.query.get(ONLY):
        choice = choice.model_copy(update={"channels": (visit.query[ONLY],), "limit": None})
    form = CampaignForm.of(visit, visit.query, choice)
    if visit.query.get("do") == "confirm":
        try:
            return _confirmation(visit, form, choice)
        except UsageError as error:
            page = _form(visit, form, choice) | _problem(visit, error)
            return Page("campaign_start.html", page, error.status)
    values = _form(visit, form, choice)
    try:
        preview = preview_campaign(visit.workspace, visit.actor, form.declaration(choice))
    except KizunaError as error:
        values |= _problem(visit, error)
    else:
        values |= _drawn(visit, preview)
    return Page(
        "campaign_start.html",
        values,
        fragment="preview",
        address=_form_address(START, form, choice),
        replaces_address=True,
    )


def submit_campaign(visit: Visit) -> Answer:
    """Keep a draft; or start, once it is confirmed that the control group is held back."""
    choice = list_filter(visit.query.multi_items())
    form = CampaignForm.of(visit, visit.form, choice)
    try:
        declaration = _named(form, choice)
        if visit.form.get("do") == "draft":
            draft_campaign(visit.workspace, visit.actor, form.name, declaration, note=form.note)
            notice = "campaigns.drafted_notice"
        elif "confirmed" in visit.form:
            start_campaign(
                visit.workspace,
                visit.actor,
                form.name,
                declaration,
                accept_few="accept_few" in visit.form,
                note=form.note,
            )
            notice = "campaigns.started_notice"
        else:
            return _confirmation(visit, form, choice)
    except UsageError as error:
        page = _form(visit, form, choice) | _problem(visit, error)
        return Page("campaign_start.html", page, error.status)
    return Redirect(f"/campaign?{urlencode({'name': form.name})}", notice, {"name": form.name})


def _named(form: CampaignForm, choice: ListFilter) -> CampaignDeclaration:
    if not form.name:
        raise UsageError("cannot start a campaign without a name. Give one, such as 'spring'.", field="name")
    return form.declaration(choice)


def _confirmation(visit: Visit, form: CampaignForm, choice: ListFilter) -> Page:
    preview = preview_campaign(visit.workspace, visit.actor, _named(form, choice), form.name)
    back = _form_address(START, form, choice)
    action, hidden = f"{PREVIEW}?{filter_query(choice)}", form.pairs
    return Page("campaign_confirm.html", confirmation(visit, preview, action, hidden, back=back, is_new=True))


def confirmation(
    visit: Visit,
    preview: CampaignPreview,
    action: str,
    hidden: list[tuple[str, str]],
    *,
    back: str,
    is_new: bool = False,
) -> PageValues:
    """What the page shows that asks before a start; a new campaign can be kept as a draft instead."""
    values: PageValues = {"action": action, "hidden": hidden, "name": preview.record.name, "back": back}
    return values | {"is_new": is_new} | _drawn(visit, preview)


def _form(visit: Visit, form: CampaignForm, choice: ListFilter) -> PageValues:
    options = filter_options(visit.shared, visit.actor)
    return {
        "form": form,
        "filters": filter_pairs(choice),
        "chips": [one.label for one in FilterForm(visit, options, choice).chips()],
        "list_address": _form_address("/list", form, choice),
        "channels": [(one, listed_channels((one,), visit.language)) for one in CONTACT_CHANNELS],
        "preview": None,
        "problem": None,
        "wrong": None,
    }


def _form_address(path: str, form: CampaignForm, choice: ListFilter) -> str:
    """A page with the filters and with what was written."""
    return f"{path}?{filter_query(choice, *((name, value) for name, value in form.pairs if value))}"


def _problem(visit: Visit, error: KizunaError) -> PageValues:
    return {"problem": translated(error.message, visit.language), "wrong": error.field}


def _drawn(visit: Visit, preview: CampaignPreview) -> PageValues:
    """What would be drawn, with its words."""
    return {
        "preview": preview,
        "channel_words": listed_channels([preview.record.channel], visit.language),
        "too_few": [translated(one, visit.language) for one in preview.too_few],
        "hard_to_reach": [translated(one, visit.language) for one in preview.hard_to_reach],
        "reach": translated(preview.reach, visit.language),
        "planned_channels": [
            (name, listed_channels((name,), visit.language), count)
            for name, count in sorted(preview.channels.items(), key=lambda one: -one[1])
        ],
        "left_out": [
            (in_language(visit.language, *LEFT_OUT[name]), count)
            for name, count in preview.left_out.items()
            if count
        ],
        "balance": [
            (in_language(visit.language, *COVARIATES[one.covariate]), one) for one in preview.balance
        ],
    }


def _whole(field: str, text: str, least: int, most: int) -> int:
    try:
        number = int(text.strip())
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise UsageError(
            f"cannot read '{text}' as {field}: write a whole number from {least:,} to {most:,}.", field=field
        )
    return number


def _percent(text: str) -> float:
    try:
        return float(text.removesuffix("%").strip()) / 100
    except ValueError:
        raise UsageError(
            f"cannot read '{text}' as control: write a percentage such as 10.", field="control"
        ) from None
