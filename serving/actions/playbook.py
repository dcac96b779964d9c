"""The playbook as the marketing team writes it: its shape, and what is refused with its line."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.catalog.display_names import in_language
from features.errors import ConfigurationError
from serving.actions.rules.conditions import SHARE, NumberCondition
from serving.actions.rules.likely_values import likely_word
from serving.actions.rules.shape_faults import example, explained, toml_of
from serving.actions.rules.toml_faults import toml_advice, toml_line
from serving.actions.rules.toml_positions import line_of, places
from serving.schemas.problems import Problem, problems

FILE = "playbook.toml"
DEFAULTS = {"contract": "playbook.toml", "shop": "playbook_shop.toml"}
"""The playbooks that come with Kizuna: for services with a contract, and for shops."""
PREFERRED = "preferred"
"""The channel that a customer uses most."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BilingualText(_Part):
    """What people read, in both languages."""

    en: str = Field(min_length=1, examples=["high touch"])
    ja: str = Field(min_length=1, examples=["ハイタッチ"])

    def say(self, language: str) -> str:
        return in_language(language, self.en, self.ja)


_LEVELS = 'levels = [{ name = "silver", en = "Silver", ja = "シルバー", purchases = 3, amount = 10000 }]'
_MEMBERS = 'members = { attribute = "club", value = "points" }'


class TouchModel(BilingualText):
    """A touch model: how many customers it can take, and how long it lets them rest."""

    capacity: int | None = Field(default=None, ge=0, examples=[150])
    cool_down_days: int = Field(default=0, ge=0, le=3650, examples=[30])
    kinds: tuple[str, ...] = Field(default=(), examples=[("call_made",)])
    """Contacts of these kinds start the cool-down."""


class LoyaltyLevel(BilingualText):
    """A level of a loyalty programme, held by purchases and their amount within the window."""

    name: str = Field(min_length=1, examples=["silver"])
    purchases: int = Field(ge=0, examples=[3])
    amount: float = Field(ge=0, examples=[10000])


class LoyaltyMembers(_Part):
    """Who is in a loyalty programme: those whose attribute has this value."""

    attribute: str = Field(examples=["club"])
    value: str = Field(examples=["points"])


class LoyaltyProgramme(_Part):
    """A loyalty programme."""

    name: str = Field(min_length=1, examples=["points"])
    window_days: int = Field(ge=1, le=3650, examples=[365])
    levels: tuple[LoyaltyLevel, ...] = Field(min_length=1, examples=[_LEVELS])
    members: LoyaltyMembers | None = Field(default=None, examples=[_MEMBERS])

    @model_validator(mode="after")
    def _ascending(self) -> LoyaltyProgramme:
        for lower, higher in zip(self.levels, self.levels[1:], strict=False):
            if higher.purchases < lower.purchases or higher.amount < lower.amount:
                raise ValueError(
                    f"the level '{higher.name}' (purchases {higher.purchases}, amount {higher.amount:g}) "
                    f"asks for less than '{lower.name}' before it (purchases {lower.purchases}, "
                    f"amount {lower.amount:g}): write levels from the lowest to the highest"
                )
        return self


class StageRules(_Part):
    """What makes a nurture stage."""

    returned_days: int = Field(default=90, ge=1, le=3650, examples=[90])
    considering_leaving: Annotated[NumberCondition, SHARE] = Field(
        default=NumberCondition(rank_high=0.1), examples=["top 10%"]
    )
    onboarding_days: int = Field(default=60, ge=0, le=3650, examples=[60])


NUMBERS = ("probability", "value", "lifetime_value", "uplift", "incremental_value")
"""The conditions on a number."""


class RuleConditions(_Part):
    """The conditions of a rule; None asks for nothing."""

    probability: Annotated[NumberCondition | None, SHARE] = Field(default=None, examples=["top 10%"])
    value: NumberCondition | None = Field(default=None, examples=["top 40%"])
    lifetime_value: NumberCondition | None = Field(default=None, examples=["top 20%"])
    uplift: Annotated[NumberCondition | None, SHARE] = Field(default=None, examples=["> 0.01"])
    incremental_value: NumberCondition | None = Field(default=None, examples=["> 100"])
    tier: tuple[str, ...] | None = Field(default=None, examples=[("low", "middle")])
    movement: tuple[str, ...] | None = Field(default=None, examples=[("falling",)])
    attitude: tuple[str, ...] | None = Field(default=None, examples=[("detractor",)])
    stage: tuple[str, ...] | None = Field(default=None, examples=[("growing",)])
    loyalty: tuple[str, ...] | None = Field(default=None, examples=[("none",)])
    reason: tuple[str, ...] | None = Field(default=None, examples=[("inquiry",)])
    channel: tuple[str, ...] | None = Field(default=None, examples=[("email",)])
    inquiry: tuple[str, ...] | None = Field(default=None, examples=[("open",)])

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        lists = {name for name in cls.model_fields if name not in NUMBERS}
        return {k: [v] if k in lists and isinstance(v, str) else v for k, v in values.items()}


class PlaybookRule(_Part):
    """Whom it is for, and what is done, or why nothing is."""

    name: str = Field(min_length=1, examples=["newcomer"])
    en: str | None = Field(default=None, min_length=1, examples=["Newcomer"])
    """What people read instead of the name, in each language."""
    ja: str | None = Field(default=None, min_length=1, examples=["新規のお客様"])
    when: RuleConditions = Field(default=RuleConditions(), examples=['when.tier = ["low", "middle"]'])
    touch: str | None = Field(default=None, examples=["high"])
    action: str | None = Field(default=None, examples=["call_and_listen"])
    channel: str | None = Field(default=None, examples=["email"])
    owner: str | None = Field(default=None, examples=["crm"])
    deadline_days: int | None = Field(default=None, ge=0, le=3650, examples=[7])
    hold_back: str | None = Field(default=None, examples=["in_peace"])
    service: bool = Field(default=False, examples=[True])
    """Whether it is no marketing, such as an answer to an inquiry or a duty of a contract: control customers
    of a campaign get it too."""

    @model_validator(mode="after")
    def _acts_or_holds_back(self) -> PlaybookRule:
        parts = {
            name: getattr(self, name) for name in ("touch", "action", "channel", "owner", "deadline_days")
        }
        if self.hold_back is None:
            lacking = [name for name, part in parts.items() if part is None]
            if lacking:
                such = example(type(self).model_fields[lacking[0]], lacking[0])
                raise ValueError(f"it says no {lacking[0]}: add one, such as `{such}`, or a hold_back")
        elif any(part is not None for part in parts.values()):
            given = next(name for name, part in parts.items() if part is not None)
            raise ValueError(
                f"it both acts (`{given} = {toml_of(parts[given])}`) and holds back "
                f"(`hold_back = {toml_of(self.hold_back)}`): keep one of the two"
            )
        return self

    def say(self, language: str) -> str:
        """The words of the rule, its name where none are given."""
        return in_language(language, self.en or self.name, self.ja or self.name)

    @property
    def outcome(self) -> tuple[str | int | None, ...]:
        """All that it decides."""
        return self.touch, self.action, self.channel, self.owner, self.deadline_days, self.hold_back


class Playbook(_Part):
    """The whole playbook."""

    do_not_contact: str = Field(default="do_not_contact", examples=["do_not_contact"])
    """The attribute whose yes forbids contact; only an explicit empty text lets everybody be contacted."""
    fallback_channel: str | None = Field(default=None, min_length=1, examples=["email"])
    """The channel of `preferred` for a customer whose own is not known."""
    open_inquiry_days: int = Field(default=30, ge=1, le=3650, examples=[30])
    """An inquiry without an answer is open for so many days, then stale: no longer urgent."""
    stages: StageRules = Field(default=StageRules(), examples=["[stages]"])
    touch: dict[str, TouchModel] = Field(default_factory=dict, examples=["[touch.high]"])
    actions: dict[str, BilingualText] = Field(default_factory=dict, examples=["[actions.call_and_listen]"])
    owners: dict[str, BilingualText] = Field(default_factory=dict, examples=["[owners.crm]"])
    hold_back: dict[str, BilingualText] = Field(default_factory=dict, examples=["[hold_back.in_peace]"])
    rules: tuple[PlaybookRule, ...] = Field(min_length=1, examples=["[[rules]]"])
    loyalty: tuple[LoyaltyProgramme, ...] = Field(default=(), examples=["[[loyalty]]"])

    def channel_of(self, rule: PlaybookRule, preferred: str | None) -> str | None:
        """The channel of a rule's action for a customer with this preferred channel."""
        return (preferred or self.fallback_channel) if rule.channel == PREFERRED else rule.channel

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that rules name, and the fallback."""
        named = (*(rule.channel for rule in self.rules), self.fallback_channel)
        return tuple(dict.fromkeys(name for name in named if name is not None and name != PREFERRED))

    @property
    def contact_kinds(self) -> tuple[tuple[str, ...], ...]:
        """The kinds of contact that start the cool-down of each touch model."""
        return tuple(touch.kinds for touch in self.touch.values())


class PlaybookRefusal(ConfigurationError):
    """Something in a playbook that cannot be used: on which line, and what to write instead."""

    def __init__(self, name: str, line: int, wrong: str) -> None:
        super().__init__(f"cannot use {name}, line {line}: {wrong}", field=f"line {line}")
        self.line = line
        self.wrong = wrong


@dataclass(frozen=True)
class PlaybookFile:
    """A playbook with the text it came from, for refusals that name a line."""

    playbook: Playbook
    name: str
    text: str

    def refusal(self, place: Sequence[str | int], wrong: str) -> PlaybookRefusal:
        """An error that names the line of a place."""
        return PlaybookRefusal(self.name, line_of(places(self.text), place), wrong)


def default_kind(churn_type: str, *, amounts: bool) -> str:
    """Which of `DEFAULTS` fits: who has no contract and pays at each visit is a shop's customer."""
    return "shop" if churn_type == "inactivity" and amounts else "contract"


def default_text(kind: str = "contract") -> str:
    """The playbook that comes with Kizuna, one of `DEFAULTS`."""
    return files("serving.actions").joinpath(DEFAULTS[kind]).read_text(encoding="utf-8")


def chosen_playbook(folder: Path, file: Path | None = None, kind: str = "contract") -> PlaybookFile:
    """The playbook that was named, the project folder's own, or the default one of this kind."""
    own = folder / FILE
    return read(file or (own if own.is_file() else None), kind)


def read(file: Path | None, kind: str = "contract") -> PlaybookFile:
    """The playbook in a file, or the one of this kind that comes with Kizuna."""
    if file is None:
        return parse(default_text(kind), "the default playbook")
    try:
        return parse(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise ConfigurationError(
            f"cannot use {file}: there is no such file. Write one with `kizuna playbook {file}`, or leave "
            "--playbook out."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot use {file}: it is not UTF-8. Save it as UTF-8.") from None


def parse(text: str, name: str) -> PlaybookFile:
    """A playbook from its text; raises `PlaybookRefusal` with the line of what does not fit."""
    file, refusals = parse_all(text, name)
    if file is None or refusals:
        raise refusals[0]
    return file


def parse_all(text: str, name: str) -> tuple[PlaybookFile | None, list[PlaybookRefusal]]:
    """A playbook from its text, and all that does not fit in it, what to speak of first in front.

    None where it is no playbook at all.
    """
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        advice = toml_advice(error, text, Playbook)
        return None, [PlaybookRefusal(name, toml_line(error, text), advice)]
    try:
        file = PlaybookFile(Playbook.model_validate(values), name, text)
    except ValidationError as error:
        lines = places(text)
        return None, [
            PlaybookRefusal(name, line_of(lines, one.location), explained(one, Playbook))
            for one in problems(error)
            if not _is_echo(one)
        ]
    return file, list(_wrong_names(file))


def _is_echo(problem: Problem) -> bool:
    """Whether a list is called too short only because its entries do not fit."""
    return problem.kind == "too_short" and bool(problem.value)


def _wrong_names(file: PlaybookFile) -> Iterator[PlaybookRefusal]:
    """Each touch, action, owner and reason of a rule that is not declared, and each name given twice."""
    playbook = file.playbook
    known: dict[str, Mapping[str, BilingualText]] = {
        "touch": playbook.touch,
        "action": playbook.actions,
        "owner": playbook.owners,
        "hold_back": playbook.hold_back,
    }
    first: dict[str, int] = {}
    for number, rule in enumerate(playbook.rules):
        for part, names in known.items():
            named = getattr(rule, part)
            if named is not None and named not in names:
                near = likely_word(named, names, {name: (one.ja, one.en) for name, one in names.items()})
                advice = (
                    f"Write one of {', '.join(names) or 'none'}, or declare it."
                    if near is None
                    else f"Write `{part} = {toml_of(near)}`, another of {', '.join(names)}, or declare it."
                )
                yield file.refusal(
                    ("rules", number, part),
                    f"the rule '{rule.name}' names the {part} '{named}', which is not declared. {advice}",
                )
        if rule.name in first:
            other = line_of(places(file.text), ("rules", first[rule.name], "name"))
            yield file.refusal(
                ("rules", number, "name"),
                f"two rules are called '{rule.name}' (the other on line {other}). Give each its own name.",
            )
        first[rule.name] = number
