"""Campaigns and their reports as rows of the database; customers are not in it.

The row of a started campaign is the only commit point of its assignment: a file that no row names was never
a campaign.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from features.errors import DataError, UnknownCampaign, UsageError
from serving.state.audit_log import record_action
from serving.state.database import Database
from serving.state.tables import CAMPAIGN_CHANNELS, CAMPAIGN_RESULTS, CAMPAIGN_SECRET, CAMPAIGNS

DRAFT, RUNNING, STOPPED = "draft", "running", "stopped"
LOADED = "loaded"
"""Run elsewhere: its effects were computed from a table, which is not kept."""
EVERYTHING = ""
"""Under which results on the standing control group are kept: no campaign has an empty name."""
RESERVED_NAME = "global"
"""No campaign is called so: in the addresses of the API it is the standing control group."""
_LISTS = ("review_months", "touch_models", "segments")
_RECORDS = select(CAMPAIGNS, func.coalesce(CAMPAIGN_CHANNELS.c.channel, "").label("channel")).outerjoin(
    CAMPAIGN_CHANNELS, CAMPAIGN_CHANNELS.c.campaign == CAMPAIGNS.c.name
)
"""The rows that `CampaignRecord` is read from."""


@dataclass(frozen=True)
class CampaignRecord:
    """One row of `campaigns`. Instants in microseconds UTC; None and empty where it was not started."""

    name: str
    state: str
    """`draft`, `running`, `stopped` or `loaded`; whether its hold has ended says `hold_until` too."""
    source: str
    """`list` or `plan`; `table` for a test that was run elsewhere and loaded."""
    filters: str
    """The filters of the list as JSON; of a loaded campaign, its file and columns."""
    control_share: float
    hold_days: int
    review_months: tuple[int, ...]
    touch_models: tuple[str, ...]
    """Touch models that were declared before the start."""
    segments: tuple[str, ...]
    """Attributes that were declared before the start."""
    overlap: bool
    """Whether customers of another running campaign were taken."""
    who: str
    """Who drafted it, or started it."""
    created_at: int
    file: str = ""
    """The campaign file, in the folder `campaigns` of the state."""
    started_at: int | None = None
    hold_until: int | None = None
    stopped_at: int | None = None
    seed: str = ""
    """64 bits in hexadecimal."""
    score_file: str = ""
    model_version: str = ""
    data_version: str = ""
    as_of: int | None = None
    treatment: int = 0
    """Customers assigned to the arm; of a draft, how many it would be."""
    control: int = 0
    channel: str = ""
    """The channel that its customers are contacted over, empty where none was given."""

    def holds_back(self, now: int) -> bool:
        """Whether its control customers are held back at an instant."""
        return self.state == RUNNING and self.hold_until is not None and now < self.hold_until


@dataclass(frozen=True)
class CampaignResult:
    """The newest computed report of a campaign."""

    computed_at: int
    report: str
    """JSON."""


def campaign(database: Database, name: str) -> CampaignRecord:
    """The campaign of this name; raises `UnknownCampaign` where there is none."""
    found = find_campaign(database, name)
    if found is None:
        raise UnknownCampaign(name)
    return found


def find_campaign(database: Database, name: str) -> CampaignRecord | None:
    """The campaign of this name, if there is one."""
    row = database.first(_RECORDS.where(CAMPAIGNS.c.name == name))
    return None if row is None else _record(row)


def campaigns(database: Database) -> list[CampaignRecord]:
    """Every campaign, the newest first."""
    with database.reading() as connection:
        rows = connection.execute(_RECORDS.order_by(CAMPAIGNS.c.id.desc())).mappings()
        return [_record(row) for row in rows]


def holding_back(database: Database, now: int) -> list[CampaignRecord]:
    """The campaigns whose control customers are held back at an instant, the earliest first."""
    with database.reading() as connection:
        return _holding_back(connection, now)


def save_draft(database: Database, draft: CampaignRecord) -> None:
    """Keep a draft, in the place of an earlier draft of its name; raises `UsageError` for a started one."""
    with _one_at_a_time(database) as connection:
        known = _state_of(connection, draft.name)
        if known not in (None, DRAFT):
            raise name_taken(draft.name, known)
        _write(connection, draft, known)
        record_action(connection, draft.who, "campaign draft", draft.created_at, details=draft.name)


def save_start(
    database: Database,
    started: CampaignRecord,
    known: Sequence[str],
    check: Callable[[CampaignRecord], None],
    now: int,
) -> None:
    """Make a campaign whose file is written the one of its name: the commit point of its assignment.

    `known` names the campaigns that held back when it was drawn. Each other that was started meanwhile is
    given to `check`, which raises where it has customers in common. Raises `UsageError` for a name that is
    taken.
    """
    with _one_at_a_time(database) as connection:
        state = _state_of(connection, started.name)
        if state not in (None, DRAFT):
            raise name_taken(started.name, state)
        for other in _holding_back(connection, now):
            if other.name not in known:
                check(other)
        _write(connection, started, state)
        details = f"{started.name}: {started.treatment} treatment, {started.control} control"
        record_action(connection, started.who, "campaign start", now, details=details)


def save_loaded(
    database: Database, loaded: CampaignRecord, report: str, now: int, *, replacing: bool
) -> bool:
    """Keep a campaign that was run elsewhere with its result (JSON), both or neither.

    One that was loaded before under its name stays, and False is returned, unless it is to be replaced.
    Raises `UsageError` for the name of a campaign of this project.
    """
    with _one_at_a_time(database) as connection:
        state = _state_of(connection, loaded.name)
        if state not in (None, LOADED):
            raise name_taken(loaded.name, state)
        if state == LOADED and not replacing:
            return False
        _write(connection, loaded, state)
        connection.execute(
            insert(CAMPAIGN_RESULTS).values(campaign=loaded.name, computed_at=now, report=report)
        )
        record_action(connection, loaded.who, "campaign load", now, details=loaded.name)
    return True


def save_stop(database: Database, name: str, who: str, now: int) -> CampaignRecord:
    """End the hold of a running campaign; raises `UsageError` for one that does not run."""
    found = campaign(database, name)
    with database.writing() as connection:
        running = (CAMPAIGNS.c.name == name) & (CAMPAIGNS.c.state == RUNNING)
        changed = connection.execute(
            update(CAMPAIGNS).where(running).values(state=STOPPED, stopped_at=now)
        ).rowcount
        if not changed:
            why = _NOT_RUNNING[found.state]
            raise UsageError(f"cannot stop the campaign '{name}': {why}.", field="name")
        record_action(connection, who, "campaign stop", now, details=name)
    return replace(found, state=STOPPED, stopped_at=now)


def record_export(database: Database, name: str, who: str, now: int, details: str) -> None:
    """Write into the audit log that a campaign's treatment arm was handed out."""
    with database.writing() as connection:
        record_action(connection, who, "campaign export", now, details=f"{name}: {details}")


def record_contacts(database: Database, name: str, who: str, now: int, details: str) -> None:
    """Write into the audit log that contacts of a campaign were stored."""
    with database.writing() as connection:
        record_action(connection, who, "campaign contacts", now, details=f"{name}: {details}")


def save_result(database: Database, name: str, report: str, now: int) -> None:
    """Keep a computed report (JSON) of a campaign."""
    with database.writing() as connection:
        connection.execute(insert(CAMPAIGN_RESULTS).values(campaign=name, computed_at=now, report=report))


def newest_result(database: Database, name: str) -> CampaignResult | None:
    """The last computed report of a campaign, None before the first."""
    results = select(CAMPAIGN_RESULTS).where(CAMPAIGN_RESULTS.c.campaign == name)
    row = database.first(results.order_by(CAMPAIGN_RESULTS.c.id.desc()))
    return None if row is None else CampaignResult(row["computed_at"], row["report"])


def global_control_seed(database: Database) -> int:
    """The 64-bit key of the project's standing control group; made at the first call, and kept."""
    while (row := database.first(select(CAMPAIGN_SECRET.c.global_control))) is None:
        try:
            with database.writing() as connection:
                connection.execute(insert(CAMPAIGN_SECRET).values(_new_secret()))
        except IntegrityError:
            continue  # another process made it meanwhile
    return int(row["global_control"], 16)


def new_seed() -> int:
    """64 random bits."""
    return secrets.randbits(64)


def _new_secret() -> dict[str, str | int]:
    return {"id": 1, "global_control": f"{new_seed():016x}", "draws": 0}


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[Connection]:
    """A connection for a start, once nobody else starts a campaign; what they wrote is seen from here on."""
    # The row is made in a step of its own: of two that insert it at once, the database refuses one.
    global_control_seed(database)
    with database.writing() as connection:
        _lock(connection)
        yield connection


def _lock(connection: Connection) -> None:
    connection.execute(update(CAMPAIGN_SECRET).values(draws=CAMPAIGN_SECRET.c.draws + 1))


def _state_of(connection: Connection, name: str) -> str | None:
    return connection.execute(select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.name == name)).scalar()


def _holding_back(connection: Connection, now: int) -> list[CampaignRecord]:
    running = _RECORDS.where(CAMPAIGNS.c.state == RUNNING, CAMPAIGNS.c.hold_until > now)
    rows = connection.execute(running.order_by(CAMPAIGNS.c.id)).mappings()
    return [_record(row) for row in rows]


def _write(connection: Connection, record: CampaignRecord, known: str | None) -> None:
    values = vars(record) | {name: json.dumps(getattr(record, name)) for name in _LISTS}
    values["overlap"] = int(record.overlap)
    del values["channel"]
    try:
        if known is None:
            connection.execute(insert(CAMPAIGNS).values(values))
        else:
            connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.name == record.name).values(values))
    except IntegrityError:
        raise name_taken(record.name, RUNNING) from None
    connection.execute(delete(CAMPAIGN_CHANNELS).where(CAMPAIGN_CHANNELS.c.campaign == record.name))
    if record.channel:
        connection.execute(insert(CAMPAIGN_CHANNELS).values(campaign=record.name, channel=record.channel))


def _record(row: RowMapping) -> CampaignRecord:
    values = {one.name: row[one.name] for one in fields(CampaignRecord)}
    for name in _LISTS:
        values[name] = tuple(json.loads(values[name]))
    return CampaignRecord(**values | {"overlap": bool(values["overlap"])})


_NOT_RUNNING = {
    DRAFT: "it was only drafted",
    STOPPED: "it was stopped before",
    RUNNING: "it was stopped before",  # by another process, since it was read
    LOADED: "it was run elsewhere",
}
_TAKEN = {DRAFT: "drafted", LOADED: "loaded from a table"}


def refuse_reserved_name(name: str) -> None:
    """Raise `UsageError` for the name that stands for the standing control group."""
    if name == RESERVED_NAME:
        raise UsageError(
            f"cannot name a campaign '{name}': the name stands for the standing control group. "
            "Give another name.",
            field="name",
        )


def name_taken(name: str, state: str | None) -> UsageError:
    """The error for a name that a campaign of this state has."""
    return UsageError(
        f"cannot use the name '{name}': a campaign of that name was {_TAKEN.get(state or '', 'started')} "
        "already. Give another name.",
        field="name",
    )


def missing_assignment(name: str, state: str = DRAFT) -> DataError:
    """The error for what needs an assignment of a campaign that has none."""
    if state == LOADED:
        return DataError(
            f"cannot use the campaign '{name}': it was run elsewhere and loaded from a table, so nobody of "
            f"this project is in its arms. `kizuna campaign report {name}` shows its result."
        )
    return DataError(
        f"cannot use the campaign '{name}': it was drafted, but not started, so nobody is in its arms. "
        f"Run `kizuna campaign start {name}`."
    )
