"""A project: what its `kizuna.toml` says, checked, with the folder that holds it.

Each room declares the shape of its own part; this module puts them together, reads the file and says
which key is wrong and what to write instead. Adapters read it and pass values on.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.catalog.defaults import IndicatorSettings, indicators
from features.catalog.definitions import Indicator
from features.catalog.display_names import is_japanese
from features.catalog.settings import FeatureSettings
from features.errors import ConfigurationError
from features.events.answer_scales import SurveyEntry, SurveyScales
from features.events.consent import ConsentEntry
from features.events.recurring_amounts import Period
from features.events.schema import ATTRIBUTE
from features.ingestion.alias_tables import AliasTable
from features.ingestion.sources import Attribute, Source, says_period
from features.spelling import nearest_word
from features.timeline import Timeline
from serving.project.campaign_settings import CampaignSettings
from serving.project.cluster_settings import ClusterSettings
from serving.project.console_settings import ConsoleSettings
from serving.project.environment_variables import TomlValue, fill_in
from serving.project.integration_settings import ColumnMap, Webhook
from serving.project.language import FILE, Language
from serving.project.names import NamesSettings, project_words
from serving.project.schedule_settings import ScheduleSettings
from serving.project.state_location import refuse_unfit_state, state_folder, state_url
from serving.schemas.problems import Problem, first_problem
from training.bundle.lifetime.settings import ValueSettings
from training.bundle.tiers import TierSettings
from training.data.columns.churn_catalog import churn_catalog
from training.explanation.project_words import ProjectWords
from training.labels.settings import CONTRACT, Churn, ChurnSettings, recurring_units


class CapacitySettings(BaseModel):
    """`[capacity]`: what the people who act on the list can do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contacts: int = Field(default=500, ge=1, description="how many customers can be approached per list")


class SimulatedSettings(BaseModel):
    """`[simulated]`: a project whose time is not this machine's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    now: str = Field(
        min_length=1,
        description="the file, from the project folder, that holds the present instant of a simulated "
        "project; `kizuna simulate` writes it",
    )


class ServiceSettings(BaseModel):
    """`[service]`: what the prediction service takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_second: float = Field(
        default=200.0, gt=0, description="what a key may ask of one worker; more is answered 429"
    )
    body_mb: int = Field(default=32, ge=1, le=1024, description="the largest body of a request, in MB")


class Settings(BaseModel):
    """Everything a `kizuna.toml` can say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str = Field(default="UTC", description="the project's calendar, an IANA name")
    language: Language = Field(
        default="en", description="the language of lists and reasons unless another is chosen"
    )
    currency: str | None = Field(
        None,
        pattern="^[A-Z]{3}$",
        description='the currency of amounts, shown wherever they are, such as "JPY"; JPY when absent in a '
        "Japanese project, none in others",
    )
    state: str = Field(
        default="state",
        min_length=1,
        description="the folder of events, scores, lists and kizuna.db; or an object store such as "
        "s3://bucket/prefix, which takes PostgreSQL as `records` (docs/scale.md)",
    )
    state_copies: str = Field(
        default="state-copies",
        min_length=1,
        description="the folder of this machine's copies of score files, plans and the rest of a state in an "
        "object store",
    )
    tracking_uri: str = Field(
        "sqlite:///mlruns/mlflow.db", min_length=1, description="where MLflow keeps runs and models"
    )
    sources: tuple[Source, ...] = Field(default=(), description="queries that give events")
    attributes: tuple[Attribute, ...] = Field(
        (), description="queries that say what is known about a customer besides events, and since when"
    )
    aliases: tuple[AliasTable, ...] = Field(
        (),
        description="queries that say which customer id became which; the events of both are one customer's, "
        "and erasing either erases both",
    )
    consent: tuple[ConsentEntry, ...] = Field(
        (),
        description="which attributes say who may be contacted, and over which channels; `do_not_contact` "
        "and others that are known by their names (docs/features.md) need no entry",
    )
    surveys: tuple[SurveyEntry, ...] = Field(
        (),
        description="the scales of survey answers, by kind and source and since when; answers of several "
        "scales are brought to one, others go to quarantine",
    )
    indicators: dict[str, IndicatorSettings] = Field(
        default_factory=dict, description="which kinds of event measure which side of engagement"
    )
    names: NamesSettings = Field(default_factory=lambda: NamesSettings.model_validate({}))
    features: FeatureSettings = Field(default_factory=lambda: FeatureSettings.model_validate({}))
    churn: ChurnSettings = Field(default_factory=lambda: ChurnSettings.model_validate({}))
    tiers: TierSettings = Field(default_factory=lambda: TierSettings.model_validate({}))
    value: ValueSettings = Field(default_factory=lambda: ValueSettings.model_validate({}))
    capacity: CapacitySettings = Field(default_factory=lambda: CapacitySettings.model_validate({}))
    campaigns: CampaignSettings = Field(default_factory=lambda: CampaignSettings.model_validate({}))
    records: str = Field(
        "",
        description="the database of keys, saved lists and audit, such as postgresql://user@host/name; "
        "kizuna.db in the state folder when empty",
    )
    crm: dict[str, ColumnMap] = Field(
        default_factory=dict, description="files for other systems; salesforce and hubspot are there already"
    )
    webhooks: tuple[Webhook, ...] = Field(default=(), description="which systems get changes")
    simulated: SimulatedSettings | None = Field(
        None, description="only in simulated projects: where the present instant is written"
    )
    schedule: ScheduleSettings = Field(default_factory=lambda: ScheduleSettings.model_validate({}))
    service: ServiceSettings = Field(default_factory=lambda: ServiceSettings.model_validate({}))
    console: ConsoleSettings = Field(default_factory=lambda: ConsoleSettings.model_validate({}))
    cluster: ClusterSettings = Field(default_factory=lambda: ClusterSettings.model_validate({}))


@dataclass(frozen=True)
class Project:
    """A folder with a `kizuna.toml`, and what it says."""

    folder: Path
    settings: Settings
    webhook_problem: ConfigurationError | None = None
    """Why a webhook cannot be used: the environment does not have a variable that it names."""

    @property
    def simulated(self) -> bool:
        """Whether the project's time is simulated; every answer then says so."""
        return self.settings.simulated is not None

    def webhooks(self) -> tuple[Webhook, ...]:
        """Which systems get changes; raises `ConfigurationError` where one names a missing variable."""
        if self.webhook_problem is not None:
            raise self.webhook_problem
        return self.settings.webhooks

    @cached_property
    def timeline(self) -> Timeline:
        return Timeline(self.settings.timezone)

    @cached_property
    def words(self) -> ProjectWords:
        """What sentences and amounts take from the settings."""
        settings = self.settings
        otherwise = "JPY" if is_japanese(settings.language) else ""
        return project_words(settings.currency or otherwise, settings.attributes, settings.names)

    @cached_property
    def churn(self) -> Churn:
        return Churn.of(self.settings.churn, self.indicators, self.settings.timezone)

    @cached_property
    def indicators(self) -> tuple[Indicator, ...]:
        declared = indicators(self.settings.indicators)
        if not any(says_period(source) for source in self.settings.sources):
            return declared
        return tuple(
            replace(one, per="month") if one.name == CONTRACT and one.per is None else one for one in declared
        )

    @cached_property
    def recurring_units(self) -> dict[str, Period]:
        """The period to which recurring amounts are brought, by kind of event."""
        return recurring_units(self.indicators, self.churn)

    @cached_property
    def survey_scales(self) -> SurveyScales:
        """The declared scales of survey answers."""
        sources = [source.name for source in self.settings.sources]
        return SurveyScales.of(self.settings.surveys, self.settings.timezone, sources)

    @property
    def closed_sources(self) -> tuple[str, ...]:
        """The sources that have ended for good."""
        return tuple(source.name for source in self.settings.sources if source.closed)

    @property
    def state_url(self) -> str | None:
        """The URL of a state in an object store; None where it is a folder."""
        return state_url(self.settings.state)

    @property
    def state(self) -> Path:
        """The folder of events, scores and records; of a state in an object store, of its copies here."""
        return state_folder(self.folder, self.settings.state, self.settings.state_copies)

    @property
    def scores(self) -> Path:
        """The folder of the score files."""
        return self.state / "scores"

    @property
    def records(self) -> str:
        """The URL of the database that holds the records."""
        return self.settings.records or f"sqlite:///{self.state / 'kizuna.db'}"


def read(folder: Path, name: str = FILE) -> Project:
    """The project of this folder by the settings of a file, with `${NAME}` filled in from the environment."""
    folder = folder.resolve()
    file = folder / name
    if not file.is_file():
        raise ConfigurationError(
            f"cannot open a project in {folder}: there is no {name} there. "
            "Run `kizuna init` to write one, or name the folder that holds it with `kizuna -C FOLDER`."
        )
    try:
        words = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read {file}: it is not valid TOML ({error}). Put that place right."
        ) from None
    try:
        problem = _drop_unusable_webhooks(words, file)
        project = Project(folder, Settings.model_validate(fill_in(words, os.environ, file)), problem)
    except ValidationError as error:
        first = first_problem(error)
        raise ConfigurationError(
            f"cannot use {file}: {explain(first)}", field=dotted(first.location)
        ) from None
    _refuse_repeated_names(project, file)
    refuse_unfit_state(file, project.settings.state, project.settings.records)
    try:
        # Made once here, so that a bad zone, indicator or scale is met.
        project.timeline, project.churn, project.survey_scales  # noqa: B018
        kinds = [kind for indicator in project.indicators for kind in indicator.kinds]
        kinds += [ATTRIBUTE + attribute.name for attribute in project.settings.attributes]
        churn_catalog(project.indicators, project.settings.features, kinds, project.churn)
    except ConfigurationError as error:
        raise ConfigurationError(f"cannot use {file}: {error.message}") from None
    return project


def _drop_unusable_webhooks(words: dict[str, TomlValue], file: Path) -> ConfigurationError | None:
    """Take out webhooks whose variables the environment lacks: only `kizuna notify` needs them.

    Returns the first problem, which it then raises.
    """
    entries, problem = words.get("webhooks"), None
    if not isinstance(entries, list):
        return None
    usable = []
    for entry in entries:
        try:
            usable.append(fill_in(entry, os.environ, file))
        except ConfigurationError as error:
            problem = problem or error
    words["webhooks"] = usable
    return problem


def explain(problem: Problem) -> str:
    """What does not fit, with the key and what to write instead."""
    location, kind = problem.location, problem.kind
    key = dotted(location)
    if kind == "extra_forbidden":
        known = known_keys(location[:-1])
        near = nearest_word(str(location[-1]), known)
        hint = f"Write `{near}` instead" if near else f"The keys there are {', '.join(known)}"
        return f"there is no key `{key}`. {hint}."
    if kind == "missing":
        return f"the key `{key}` is missing. Add a line `{location[-1]} = …`."
    message = problem.message.replace("Input should be", "write").replace("valid tuple", "list")
    if not message.startswith("write"):
        return f"`{key}` does not fit: {message}."
    return f"`{key}` cannot be {shown(problem.value)}: {message}."


def dotted(location: Sequence[str | int]) -> str:
    """How people write a place in the file: `sources[2].query`, counting from 1."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def known_keys(location: Sequence[str | int]) -> list[str]:
    """The keys the file may have at this place."""
    shape: object = Settings
    for part in location:
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            field = shape.model_fields.get(str(part))
            shape = field.annotation if field else None
        else:  # an item of a list or a table of named parts: their last argument is its shape
            shape = next((a for a in reversed(get_args(shape)) if isinstance(a, type)), None)
    return list(shape.model_fields) if isinstance(shape, type) and issubclass(shape, BaseModel) else []


def shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _refuse_repeated_names(project: Project, file: Path) -> None:
    for part, names in (
        ("sources", [source.name for source in project.settings.sources]),
        ("attributes", [attribute.name for attribute in project.settings.attributes]),
        ("webhooks", [webhook.name for webhook in project.settings.webhooks]),
    ):
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ConfigurationError(
                    f'cannot use {file}: `{part}[{place + 1}].name` is "{name}", which an '
                    "earlier one has already. Give it a name of its own.",
                    field=f"{part}[{place + 1}].name",
                )
