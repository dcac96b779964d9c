"""The event store: a Delta table in buckets of the customer key, each a few sorted runs.

Four tables lie in the state folder: events, customers, quarantine, aliases. One process writes at a time and
commits customers, then quarantine, then events; the first two are harmless without the third, so a
process killed anywhere leaves the store as it was or as it was meant to become. Aliases come last: events
that were moved under one key lie there under an old name until the next ingest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import DataError, UsageError
from features.events.answer_scales import UNDECLARED, SurveyScales
from features.events.consent import BY_NAME, ConsentRules
from features.events.history import History
from features.ingestion import quarantine
from features.ingestion.alias_tables import AliasTable, current_ids, read_alias_tables
from features.ingestion.quarantine import QUARANTINE_SCHEMA
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import DEFAULTS, NO_OPTIONS, IngestOptions, IngestSettings
from features.ingestion.session.run import IngestRun, StoreTables
from features.ingestion.sources import Attribute, Source, refuse_repeated_names
from features.privacy import erasure
from features.privacy.customer_identities import apply_aliases
from features.privacy.erasure import ErasureReceipt
from features.privacy.suppression_list import SuppressionList
from features.storage import history_reader, sorted_run
from features.storage.customer_ids import ALIASES_SCHEMA, CUSTOMERS_SCHEMA, Customers, load
from features.storage.damage import newest_files, reading
from features.storage.delta_table import Lake, TableVersion, turn
from features.storage.history_reader import ReadOptions
from features.storage.id_filters import IdFilters
from features.storage.run_facts import RunFacts
from features.storage.sorted_run import RUN_SCHEMA
from features.timeline import Timeline

BUCKETS = 16
ERASING = "erasing-"
Progress = Callable[[str, float], None]


class EventStore:
    """The events of a project, in its state folder; created by the first ingest.

    `buckets` counts for a new store only (a power of two); memory holds a bucket or two at a time.
    """

    def __init__(self, folder: Path, *, buckets: int = BUCKETS) -> None:
        self.folder = folder
        events = Lake(folder / "events", RUN_SCHEMA, buckets=buckets)
        snapshot = events.snapshot()
        if snapshot is not None:
            buckets = int(snapshot.configuration["kizuna.buckets"])
        self._events = Lake(folder / "events", RUN_SCHEMA, buckets=buckets)
        self._customers = Lake(folder / "customers", CUSTOMERS_SCHEMA)
        self._aliases = Lake(folder / "aliases", ALIASES_SCHEMA)
        self._quarantine = Lake(folder / "quarantine", QUARANTINE_SCHEMA)
        self._known: tuple[list[int], Customers] = ([], Customers())
        self._facts = RunFacts(self._events)
        self._id_filters = IdFilters()
        self._pinned: TableVersion | None = None
        self.is_pinned = False
        self.last_change: tuple[str, str] = ("", "")
        """The data version before and after the last write of this object, read while it held the lock."""
        self.buckets = tuple(range(buckets))

    @property
    def customers(self) -> Customers:
        """The customers as of the newest ingest."""
        tables = self._customers.snapshot(), self._aliases.snapshot()
        versions = [table.version if table else -1 for table in tables]
        if self._known[0] != versions:
            self._known = (versions, load(self._customers, self._aliases))
        return self._known[1]

    def ingest(
        self,
        sources: Sequence[Source],
        attributes: Sequence[Attribute],
        aliases: Sequence[AliasTable] = (),
        *,
        folder: Path,
        timeline: Timeline,
        now: int,
        options: IngestOptions = NO_OPTIONS,
        consent: ConsentRules = BY_NAME,
        scales: SurveyScales = UNDECLARED,
        units: Mapping[str, str] = MappingProxyType({}),
        progress: Progress | None = None,
    ) -> list[Receipt]:
        """Read every source into the store, or, when one cannot be read, none.

        A source that would double or lose events is left out, and its receipt says why. `folder` is where
        relative paths in the queries start, `timeline` the zone of timestamps without one, `now` the instant
        after which nothing can have happened. `consent` tells the rows that forbid contact, which come
        in whatever their date; `scales` are those of survey answers, `units` the periods to which recurring
        amounts are brought, by kind of event. `progress` is called with what is being done and the share
        that is done.
        """
        every: list[Source | Attribute] = [*sources, *attributes]
        refuse_repeated_names([source.name for source in every])
        shared = [source.name for source in sources if source.shared_ids]
        settings = IngestSettings(options, shared, consent, scales, units)
        with self._writing(progress) as run:
            erased = SuppressionList(self.folder)
            with self._run(run, now, erased, settings, progress) as ingest:
                customers = ingest.arrivals.customers
                known = customers.aliases.current
                alias_tables = read_alias_tables(aliases, known, folder, timeline, now, ingest.refusals)
                people = apply_aliases(customers, current_ids(alias_tables.pairs, known), erased)
                ingest.follow(people, [table.name for table in aliases])
                for number, source in enumerate(every):
                    clock = Timeline(source.timezone) if source.timezone else timeline
                    ingest.read(source, folder, clock, number / len(every))
                return [*ingest.finish(), *alias_tables.receipts]

    def add(self, table: pa.Table, *, source: str, timeline: Timeline, now: int) -> Receipt:
        """Add events that did not come through a source's query; of one id the later corrects the earlier."""
        with self._adding() as run, self._run(run, now, SuppressionList(self.folder)) as ingest:
            ingest.take(table, source, timeline)
            return ingest.finish(in_turn=True)[0]

    def add_fresh(self, table: pa.Table, key: int, *, source: str, timeline: Timeline, now: int) -> int:
        """Add events of one customer under ids that nobody else can have given; gives how many are new.

        Only the customer's own events are read, where `add` compares ids with those of the whole store.
        """
        with self._adding() as run, self._run(run, now, SuppressionList(self.folder)) as ingest:
            known = pa.array(self.history_of([key], event_ids=True).event_ids, pa.string())
            fresh = table.filter(pc.invert(pc.is_in(table.column("event_id"), value_set=known)))
            if not fresh.num_rows:
                return 0
            ingest.take(fresh, source, timeline)
            (receipt,) = ingest.finish(in_turn=True, fresh=True)
            return 0 if receipt.quarantined or receipt.erased else int(fresh.num_rows)

    def retract(self, key: int, event_ids: Collection[str], *, source: str, now: int) -> int:
        """Take back events of a customer that a source gave under these ids; gives how many there were.

        They stay known until `now`, for answers about the time before. Only the files that hold them are
        written anew.
        """
        bucket = key % len(self.buckets)
        with self._adding() as run, self._run(run, now, SuppressionList(self.folder)) as ingest:
            files = [
                file
                for file in self._snapshot().by_bucket.get(bucket, ())
                if history_reader.holds_ids(self._events.path(file), key, event_ids)
            ]
            return ingest.retract({bucket: files}, sorted(event_ids), source)

    def history(self, bucket: int, **how: Unpack[ReadOptions]) -> History:
        """The histories of a bucket's customers.

        Events at or after `until` do not exist, nor do those that were retracted before it (without `until`:
        at all), unless `known_at` or `retractions` say otherwise (`history_reader.history`).
        """
        return self._read(self._snapshot(), bucket, **how)

    def histories(
        self, *, buckets: Sequence[int] | None = None, **how: Unpack[ReadOptions]
    ) -> Iterator[History]:
        """The histories of all customers or of some buckets, one by one, as of one version of the store.

        The next one is read while the caller works on one, so that memory holds two.
        """
        snapshot, chosen = self._snapshot(), self.buckets if buckets is None else buckets

        def read(bucket: int) -> History:
            return self._read(snapshot, bucket, **how)

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, chosen[0])
            for bucket in chosen[1:]:
                ready, ahead = ahead.result(), pool.submit(read, bucket)
                yield ready
                del ready
            yield ahead.result()

    def history_of(self, keys: Sequence[int], **how: Unpack[ReadOptions]) -> History:
        """The histories of a few customers; those without events have an empty one."""
        snapshot, wanted = self._snapshot(), np.unique(np.asarray(keys, dtype=np.int64))
        paths = [
            self._events.path(file)
            for bucket in np.unique(wanted % len(self.buckets)).tolist()
            for file in snapshot.by_bucket.get(bucket, ())
        ]
        with newest_files(self._events):
            return history_reader.history(paths, wanted=wanted, **how)

    def files_of(self, bucket: int) -> tuple[str, ...]:
        """The names of the files that hold a bucket's events: as long as they stay, so do its events."""
        return tuple(sorted(file.path for file in self._version_read().by_bucket.get(bucket, ())))

    def pinned(self) -> EventStore:
        """This store as it is now, for a job that reads its events several times while others may write."""
        if self.is_pinned:
            return self
        still = copy(self)
        still._pinned, still.is_pinned = self._version_read(), True
        return still

    def newest(self, *, until: int | None = None) -> int | None:
        """The instant of the newest engagement event; what is known about a customer does not count.

        Events that were retracted count until `until`, where it is given, as they did then.
        """
        return self._facts.newest(self._snapshot(), until)

    def oldest(self, *, until: int | None = None) -> int | None:
        """The instant of the oldest engagement event, as `newest`."""
        return self._facts.oldest(self._snapshot(), until)

    @property
    def version(self) -> str:
        """The data version: 16 hexadecimal digits that change exactly when the content does."""
        return f"{sum(self._facts.of(self._version_read(), 'digest')) % 2**64:016x}"

    @property
    def events(self) -> int:
        """How many events there are; retracted ones do not count."""
        snapshot = self._snapshot()
        return sum(file.rows for file in snapshot.files) - sum(self._facts.of(snapshot, "retracted"))

    def run_tables(
        self, columns: list[str], coded: list[str], until: int | None = None
    ) -> Iterator[pa.Table]:
        """Some columns of each sorted run, those `coded` as dictionaries, for what no history holds.

        Left out are events that were retracted before `until` (None: at all), or came back after it.
        """
        with newest_files(self._events):
            for file in self._snapshot().files:
                with reading(path := self._events.path(file)):
                    table = sorted_run.read_table(path, columns, coded, until)
                yield table

    @property
    def read_sources(self) -> tuple[str, ...]:
        """The names of the sources that were ever read, those included that are not configured any more."""
        return tuple(self._events.record().get("queries", {}))

    @property
    def several_rows(self) -> dict[str, int]:
        """How many event ids of each source came in several rows of its newest ingest, where any did."""
        return dict(self._events.record().get("several_rows", {}))

    def quarantined(self) -> pa.Table:
        """The rows that are refused: source, row, reason, event, other, ingested_at, key."""
        return quarantine.read(self._quarantine)

    def events_to_come(self, kinds: Collection[str]) -> pa.Table:
        """`key, kind, occurred_at` of refused rows of these kinds whose moment has not come."""
        return quarantine.events_to_come(self._quarantine, kinds)

    def erase(self, customer_id: str) -> ErasureReceipt:
        """Remove a customer from events, customers, quarantine, logs and older versions, and prove it.

        From then on every ingest leaves their rows out, until `readmit`.
        """
        with self._writing(None, ERASING) as run:
            return erasure.erase(
                customer_id,
                self.customers,
                self._events,
                (self._customers, self._aliases),
                self._quarantine,
                SuppressionList(self.folder),
                run,
            )

    def readmit(self, customer_id: str) -> None:
        """Let rows of an erased customer in again; raises `UsageError` where none are."""
        with self._writing(None):
            if not SuppressionList(self.folder).discard(customer_id):
                wrong = f"cannot readmit customer '{customer_id}': they are not among the erased."
                raise UsageError(f"{wrong} Check the identifier.")

    def link_version(self, folder: Path) -> str:
        """Put the tables as they are now into another folder, without copying; gives the data version.

        Nobody writes meanwhile. The suppression list comes with them.
        """
        with self._writing(None):
            for lake in (self._events, self._customers, self._aliases, self._quarantine):
                lake.link_version(folder / lake.folder.name)
            SuppressionList(self.folder).copy_to(folder)
            return self.version

    def _writing(self, progress: Progress | None, purpose: str = "") -> AbstractContextManager[str]:
        return turn(self.folder, self._repair, progress, purpose)

    @contextmanager
    def _adding(self) -> Iterator[str]:
        with self._writing(None) as run:
            before = self.version
            yield run
            self.last_change = (before, self.version)

    def _repair(self, broken: str) -> None:
        quarantine.apply_pending(self._quarantine, self._events.record())
        shutil.rmtree(self.folder / f"arriving-{broken}", ignore_errors=True)
        for lake in (self._customers, self._aliases, self._quarantine, self._events):
            lake.sweep(broken)
            if broken.startswith(ERASING):
                lake.forget_the_past()

    def _run(
        self,
        run: str,
        now: int,
        erased: SuppressionList,
        settings: IngestSettings = DEFAULTS,
        progress: Progress | None = None,
    ) -> IngestRun:
        tables = StoreTables(self._events, self._customers, self._aliases, self._quarantine, self._id_filters)
        return IngestRun(
            tables,
            erased,
            self.folder,
            run,
            len(self.buckets),
            now=now,
            settings=settings,
            progress=progress,
        )

    def _read(self, snapshot: TableVersion, bucket: int, **how: Unpack[ReadOptions]) -> History:
        paths = [self._events.path(file) for file in snapshot.by_bucket.get(bucket, ())]
        with newest_files(self._events):
            return history_reader.history(paths, **how)

    def _version_read(self) -> TableVersion:
        return self._pinned or self._events.snapshot() or TableVersion(-1)

    def _snapshot(self) -> TableVersion:
        snapshot = self._version_read()
        if not snapshot.files:
            raise DataError("cannot read events: nothing was ingested yet; run `kizuna ingest`")
        return snapshot
