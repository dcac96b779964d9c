"""The event store: a Delta table in buckets of the customer key, each a few sorted runs.

Four tables lie in the state folder: events, customers, quarantine, aliases. One process writes at a time and
commits customers, then quarantine, then events; the first two are harmless without the third, so a process
killed anywhere leaves the store as it was or was to become. Aliases come last: events that were moved
under one key lie there under an old name until the next ingest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from features.errors import UsageError
from features.events.answer_scales import UNDECLARED, SurveyScales
from features.events.consent import BY_NAME, ConsentRules
from features.ingestion import quarantine
from features.ingestion.alias_tables import AliasTable, current_ids, read_alias_tables
from features.ingestion.merging.bucket_tasks import BucketRunner, BucketSender, delete_working_files
from features.ingestion.quarantine import QUARANTINE_SCHEMA
from features.ingestion.receipt import Receipt, StoreChange
from features.ingestion.session.few_events import added, added_fresh
from features.ingestion.session.guards import DEFAULTS, NO_OPTIONS, IngestOptions, IngestSettings
from features.ingestion.session.run import IngestRun
from features.ingestion.session.store_tables import StoreTables
from features.ingestion.sources import Attribute, Source, refuse_repeated_names
from features.privacy import erasure
from features.privacy.customer_identities import apply_aliases
from features.privacy.erasure import ErasureReceipt
from features.privacy.suppression_list import SuppressionList
from features.storage import history_reader
from features.storage.delta_table import Lake, TableVersion
from features.storage.id_filters import IdFilters, id_filters
from features.storage.store_reader import StoreReader
from features.storage.writer_turn import WriterLock
from features.timeline import Timeline

BUCKETS = 16
ERASING = "erasing-"
Progress = Callable[[str, float], None]


class EventStore(StoreReader):
    """The events of a project, in its state folder or object store; created by the first ingest.

    `location` is the folder, or a URL such as `s3://bucket/prefix`: to write there takes `writers`, the lock
    that machines share. `buckets` counts for a new store only (a power of two); memory holds a bucket or two.
    With `pinned` the store is read at that version, has `buckets`, and is opened by the first read.
    """

    def __init__(
        self,
        location: Path | str,
        *,
        buckets: int = BUCKETS,
        writers: WriterLock | None = None,
        pinned: TableVersion | None = None,
    ) -> None:
        super().__init__(location, buckets=buckets, writers=writers, pinned=pinned)

    @cached_property
    def _quarantine(self) -> Lake:
        return self.place.table("quarantine", QUARANTINE_SCHEMA)

    @cached_property
    def _id_filters(self) -> IdFilters:
        return id_filters(self.place.name)

    @property
    def folder(self) -> Path:
        """The local folder in which runs work: the state folder, or a working folder of this process."""
        return self.place.storage.folder

    @property
    def erased(self) -> SuppressionList:
        """The customers who were erased, as it is now."""
        return SuppressionList(self.place.storage)

    def reopened(self) -> EventStore:
        """The same store as it is now, read anew."""
        return EventStore(self.place.name, writers=self.place.writers)

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
        runner: BucketRunner | None = None,
    ) -> list[Receipt]:
        """Read every source into the store, or, when one cannot be read, none.

        A source that would double or lose events is left out, and its receipt says why. `folder` is where
        relative paths in the queries start, `timeline` the zone of timestamps without one, `now` the instant
        after which nothing can have happened. `consent` tells the rows that forbid contact, which come in
        whatever their date; `scales` are those of survey answers, `units` the periods of recurring amounts
        by kind. `progress` is called with what is being done and the share that is done. With a `runner`
        other processes merge the buckets (`features/ingestion/merging/bucket_tasks.py`).
        """
        every: list[Source | Attribute] = [*sources, *attributes]
        refuse_repeated_names([source.name for source in every])
        shared = [source.name for source in sources if source.shared_ids]
        with self._writing(progress) as run:
            sender = None if runner is None else BucketSender(runner, self.place, run, shared)
            settings = IngestSettings(options, shared, consent, scales, units, sender)
            erased = self.erased
            with self._run(run, now, settings, progress, erased) as ingest:
                customers = ingest.arrivals.customers
                known = customers.aliases.current
                alias_tables = read_alias_tables(aliases, known, folder, timeline, now, ingest.refusals)
                people = apply_aliases(customers, current_ids(alias_tables.pairs, known), erased)
                ingest.follow(people, [table.name for table in aliases])
                for number, source in enumerate(every):
                    clock = Timeline(source.timezone) if source.timezone else timeline
                    ingest.read(source, folder, clock, number / len(every))
                receipts = [*ingest.finish(), *alias_tables.receipts]
            if runner is not None:
                self._events.sweep(run)  # files of tasks that were done twice
            return receipts

    def add(self, table: pa.Table, *, source: str, timeline: Timeline, now: int) -> Receipt:
        """Add events that did not come through a source's query; of one id the later corrects the earlier."""
        with self._writing(None) as run, self._run(run, now) as ingest:
            return added(ingest, table, source, timeline)

    def add_noted(self, table: pa.Table, *, source: str, timeline: Timeline, now: int) -> StoreChange:
        """As `add`, of what people noted: says which data versions lie around it."""
        return self._changed(lambda ingest: added(ingest, table, source, timeline).new, now)

    def add_fresh(
        self, table: pa.Table, key: int, *, source: str, timeline: Timeline, now: int
    ) -> StoreChange:
        """Add events of one customer under ids that nobody else can have given; those that are there stay.

        Only the customer's own events are read, where `add` compares ids with those of the whole store.
        """

        def fresh(ingest: IngestRun) -> int:
            return added_fresh(ingest, table, self.history_of([key], event_ids=True), source, timeline)

        return self._changed(fresh, now)

    def retract(self, key: int, event_ids: Collection[str], *, source: str, now: int) -> StoreChange:
        """Take back events of a customer that a source gave under these ids.

        They stay known until `now`, for answers about the time before.
        """
        bucket = key % len(self.buckets)

        def taken_back(ingest: IngestRun) -> int:
            files = [
                file
                for file in self._snapshot().by_bucket.get(bucket, ())
                if history_reader.holds_ids(self._events.run_file(file), key, event_ids)
            ]
            return ingest.retract({bucket: files}, sorted(event_ids), source)

        return self._changed(taken_back, now)

    def __reduce__(self) -> tuple[object, ...]:
        """To another process travel address, bucket count and version.

        The store is opened there by the first read, so that an error is one of the task that reads.
        """
        return _sent, (self.address, len(self.buckets), self._version_read())

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
        rows = quarantine.read(self._quarantine)
        self.place.storage.forget_copies()
        return rows

    def events_to_come(self, kinds: Collection[str]) -> pa.Table:
        """`key, kind, occurred_at` of refused rows of these kinds whose moment has not come."""
        rows = quarantine.events_to_come(self._quarantine, kinds)
        self.place.storage.forget_copies()
        return rows

    def erase(self, customer_id: str) -> ErasureReceipt:
        """Remove a customer from events, customers, quarantine, logs and older versions, and prove it.

        From then on every ingest leaves their rows out, until `readmit`.
        """
        with self._writing(None, ERASING) as run:
            receipt = erasure.erase(
                customer_id,
                self.customers,
                self._events,
                (self._customers, self._aliases),
                self._quarantine,
                self.erased,
                run,
            )
            return replace(receipt, kept_by_store=self.delete_old_versions())

    def drop_earlier_versions(self) -> None:
        """Delete the files of earlier versions of the tables at once, which otherwise stay for a day.

        Whoever still reads an earlier version is told that files are missing.
        """
        with self._writing(None):
            for lake in (self._events, self._customers, self._aliases, self._quarantine):
                lake.forget_the_past()

    def delete_old_versions(self) -> str | None:
        """Delete what a bucket with versioning keeps of earlier contents of the whole state.

        Says what could not be deleted.
        """
        return self.place.storage.delete_old_versions()

    def readmit(self, customer_id: str) -> None:
        """Let rows of an erased customer in again; raises `UsageError` where none are."""
        with self._writing(None):
            if not self.erased.discard(customer_id):
                wrong = f"cannot readmit customer '{customer_id}': they are not among the erased."
                raise UsageError(f"{wrong} Check the identifier.")

    def link_version(self, folder: Path) -> str:
        """Hard-link the tables as they are now into another folder; gives the data version."""
        with self._writing(None):
            for lake in (self._events, self._customers, self._aliases, self._quarantine):
                lake.link_version(folder / lake.name)
            self.erased.copy_to(folder)
            return self.version

    def _writing(self, progress: Progress | None, purpose: str = "") -> AbstractContextManager[str]:
        return self.place.turn(self._repair, progress, purpose)

    def _changed(self, write: Callable[[IngestRun], int], now: int) -> StoreChange:
        with self._writing(None) as run:
            before = self.version
            with self._run(run, now) as ingest:
                events = write(ingest)
            return StoreChange(events, before, self.version)

    def _repair(self, broken: str) -> None:
        quarantine.apply_pending(self._quarantine, self._events.record())
        shutil.rmtree(self.folder / f"arriving-{broken}", ignore_errors=True)
        delete_working_files(self.place.storage, broken)
        for lake in (self._customers, self._aliases, self._quarantine, self._events):
            lake.sweep(broken)
            if broken.startswith(ERASING):
                lake.forget_the_past()
        if broken.startswith(ERASING):
            self.delete_old_versions()

    def _run(
        self,
        run: str,
        now: int,
        settings: IngestSettings = DEFAULTS,
        progress: Progress | None = None,
        erased: SuppressionList | None = None,
    ) -> IngestRun:
        tables = StoreTables(self._events, self._customers, self._aliases, self._quarantine, self._id_filters)
        count = len(self.buckets)
        return IngestRun(
            tables,
            erased or self.erased,
            self.folder,
            run,
            count,
            now=now,
            settings=settings,
            progress=progress,
        )


def _sent(address: str, buckets: int, version: TableVersion) -> EventStore:
    """A store that came from another process, not open yet."""
    return EventStore(address, buckets=buckets, pinned=version)
