"""One ingest: reads sources, decides what leaves, and commits customers, quarantine and events."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events.parsing.source_text import Formats, SourceText
from features.events.schema import REFUSED_SCHEMA
from features.events.validation import validate_rows
from features.events.validation_counts import ValidationCounts
from features.ingestion import quarantine
from features.ingestion.customer_moves import CustomerIdentities, move_customers
from features.ingestion.identity.presence import (
    LeavingRows,
    namesakes,
    presence,
    stored_sources,
    was_read_again,
)
from features.ingestion.identity.scopes import SENT, EventIdScopes
from features.ingestion.merging.bucket_merge import MergeSettings
from features.ingestion.merging.merge import Ingestion
from features.ingestion.merging.table_change import TableChange
from features.ingestion.quarantine import PENDING, QuarantineWriter, Settled
from features.ingestion.receipt import Receipt
from features.ingestion.session.guards import (
    MOST_GONE,
    MOST_QUARANTINED,
    IngestSettings,
    doubled,
    query_fingerprint,
    renamed,
    too_many_gone,
    too_much_quarantined,
)
from features.ingestion.session.reading import SourceReading
from features.ingestion.session.retry import due, outdated
from features.ingestion.session.store_tables import StoreTables
from features.ingestion.source_intake import Suppression, checked_batches
from features.ingestion.sources import Attribute, Source, SourceReader, Watermark, source_tally
from features.ingestion.staging import StagingArea
from features.storage.customer_ids import load, plan_aliases, plan_growth
from features.storage.damage import newest_files
from features.storage.delta_table import File
from features.storage.hashing import Words, of_texts
from features.storage.string_dictionary import StringDictionary, large
from features.timeline import Timeline

Progress = Callable[[str, float], None]
Files = Mapping[int, Sequence[File]]
NUMBERED, BY_SOURCE = "numbered", "by source"
"""How equal rows without an id are counted; not noted in stores of earlier versions (`StagingArea`)."""


class IngestRun:
    """One ingest into the tables of a store, by whoever holds its lock; used as a context."""

    def __init__(
        self,
        tables: StoreTables,
        erased: Suppression,
        folder: Path,
        run: str,
        buckets: int,
        *,
        now: int,
        settings: IngestSettings,
        progress: Progress | None = None,
    ) -> None:
        self.tables, self.erased, self.run, self.now = tables, erased, run, now
        self.options, self.consent, self.progress = settings.options, settings.consent, progress
        self.scales, self.units, self.sender = settings.scales, settings.units, settings.sender
        self.folder = folder / f"arriving-{run}"
        record = tables.events.record()
        self.queries: dict[str, str] = record.get("queries", {})
        self.marks: dict[str, Watermark] = dict(record.get("watermarks", {}))
        self.formats: dict[str, Formats] = dict(record.get("formats", {}))
        vocabulary = StringDictionary()
        scopes = EventIdScopes(vocabulary, settings.shared)
        self.arrivals = StagingArea(
            self.folder, buckets, load(tables.customers, tables.aliases), vocabulary, scopes
        )
        self.arrivals.by_source = tables.events.snapshot() is None or record.get(NUMBERED) == BY_SOURCE
        self.refusals = QuarantineWriter(self.folder)
        self.readings: list[SourceReading] = []
        self.people: CustomerIdentities | None = None
        self.alias_tables: Sequence[str] = ()

    def follow(self, people: CustomerIdentities, tables: Sequence[str]) -> None:
        """Use customers with the aliases applied that these tables say; their events move with this run."""
        self.arrivals.customers = people.customers
        self.people, self.alias_tables = people, tables

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, source: Source | Attribute, folder: Path, timeline: Timeline, share: float) -> None:
        """Read a source into the staging area; `share` of the run is done."""
        name = source.name
        formats = {} if name in self.options.replace else self.formats.get(name, {})
        scales = () if isinstance(source, Attribute) else self.scales.of_source(name)
        tally = source_tally(source, formats, self.consent, scales, self.units)
        fingerprint = query_fingerprint(source, timeline, scales, self.units)
        changed = self.queries.get(name, fingerprint) != fingerprint
        reading = SourceReading(source, timeline, tally, fingerprint, changed)
        self.readings.append(reading)
        anew = changed or name in self.options.replace
        feed = SourceReader(source, folder, None if anew else self.marks.get(name))
        tally.expressions = feed.expressions

        def tell(rows: int) -> None:
            if self.progress:
                read = f": {rows:,} rows" if rows else ""  # nothing is known of the first batch yet
                self.progress(f"reading {name}{read}", 0.5 * share)

        batches = checked_batches(
            feed,
            tally,
            timeline,
            self.now,
            self.erased,
            self.arrivals,
            self.refusals,
            tell,
            reading.watermark,
        )
        self.arrivals.take_in_all(batches, name)
        if tally.rows or (feed.since is None and not tally.erased):
            tally.verdict(follows=feed.since is not None)
        if feed.watermark is not None:
            self.marks[name] = feed.watermark
        self.formats[name] = tally.texts.formats()
        tally.notes = tally.all_notes(timeline.timezone)

    def take(self, table: pa.Table, source: str, timeline: Timeline) -> None:
        """Take in events that come from no source's query."""
        tally = ValidationCounts(source, texts=SourceText(source, before=self.formats.get(source, {})))
        self.readings.append(
            SourceReading(Source(name=source, query="-"), timeline, tally, "", changed=False)
        )
        rows, tally.erased = self.erased.without(table, self.arrivals.customers)
        good, refused = validate_rows(rows, timeline, self.now, tally)
        if tally.rows or not tally.erased:
            tally.verdict()
        self.arrivals.take_in(self.erased.blank_suppressed_ids(good), source)
        self.refusals.add(refused)
        self.formats[source] = tally.texts.formats()

    def finish(self, *, in_turn: bool = False, fresh: bool = False) -> list[Receipt]:
        """Commit what was read; of rows that contradict each other none counts, or, `in_turn`, the last."""
        self.arrivals.close()
        self.refusals.flush()
        events, arrivals, run = self.tables.events, self.arrivals, self.run
        moved = move_customers(
            events, self.people, arrivals.customers, self.folder, run, by_source=arrivals.by_source
        )
        leaving, settled = LeavingRows(), Settled()
        if not in_turn:
            leaving, settled = self._decide(moved.files), self._settle_refused(moved.files)
        merging = Ingestion(
            events,
            arrivals,
            moved.files,
            MergeSettings(run, self.now, in_turn, fresh),
            leaving=leaving,
            id_filters=self.tables.id_filters,
            sender=self.sender,
        )
        with newest_files(events):
            change = merging.plan(self._tell).after(moved, events)
        for refused in change.refused:
            self.refusals.add(refused)
        self.refusals.flush()
        self._commit(change, settled)
        reasons = self.refusals.reasons()
        ended = sorted(self.options.replace - {reading.name for reading in self.readings})
        return [
            *(reading.receipt(change, reasons) for reading in self.readings),
            *(Receipt.of_ended(name, change.taken_out.get(name, 0)) for name in ended),
        ]

    def retract(self, files: dict[int, list[File]], event_ids: Sequence[str], source: str) -> int:
        """Retract the rows that these files hold of a source under these event ids; commits at once."""
        self.arrivals.close()
        scoped = of_texts(pa.array(event_ids, pa.large_string()))[0] ^ np.uint64(
            self.arrivals.scopes.word(source)
        )
        leaving = LeavingRows(ids={source: np.sort(scoped)})
        events = self.tables.events
        settings = MergeSettings(self.run, self.now)
        change = Ingestion(events, self.arrivals, files, settings, leaving=leaving).plan(self._tell)
        self._commit(change, Settled())
        return change.taken_out.get(source, 0)

    def leave_out(self, reading: SourceReading) -> None:
        """Store nothing of a source; where it is read next time does not change."""
        name, before = reading.name, self.tables.events.record()
        self.arrivals.leave_out(name)
        for known, noted in ((self.marks, "watermarks"), (self.formats, "formats")):
            known.pop(name, None)
            if name in before.get(noted, {}):
                known[name] = before[noted][name]

    def _decide(self, files: Files) -> LeavingRows:
        """Which stored rows stop counting; a source that would double or lose its events is left out."""
        options = self.options
        concerned = [r for r in self.readings if r.name not in options.replace and (r.changed or r.complete)]
        complete = [reading.name for reading in concerned if reading.complete]
        names = [reading.name for reading in concerned]
        found = presence(self.tables.events, files, self.arrivals, names, complete)
        gone: dict[str, Words] = {}
        for reading in concerned:
            name, there = reading.name, found.get(reading.name)
            if there is None:
                continue
            if reading.complete:
                here = of_texts(quarantine.refused_event_ids(self.refusals, name))[0]
                gone[name] = np.setdiff1d(there.gone, here ^ np.uint64(self.arrivals.scopes.word(name)))
                if len(gone[name]) > MOST_GONE * there.stored and name not in options.accept_removal:
                    reading.refused = too_many_gone(name, len(gone.pop(name)), there.stored)
            elif there.looks_doubled and name not in options.keep:
                reading.refused = doubled(name, there)
            if reading.refused is not None:
                self.leave_out(reading)
        self._refuse_renamed(files)
        for reading in (one for one in self.readings if one.refused is None):
            name, share = reading.name, reading.tally.amounts.share
            if share <= MOST_QUARANTINED or name in options.accept_quarantine:
                continue
            if not quarantine.holds_all(self.tables.quarantine, self.refusals, name):
                reading.refused = too_much_quarantined(name, share, reading.tally.reasons)
                gone.pop(name, None)
                self.leave_out(reading)
        # What is not stored takes nothing out either, or a refused `--replace` would lose the source's rows.
        refused = {reading.name for reading in self.readings if reading.refused is not None}
        return LeavingRows(sorted(options.replace - refused), gone)

    def _refuse_renamed(self, files: Files) -> None:
        """Leave out new sources that bring the events of one that is not configured any more."""
        new = [
            one for one in self.readings if one.name not in self.queries and one.name not in self.options.keep
        ]
        if not new:
            return
        stored = stored_sources(self.tables.events, files, self.arrivals.scopes)
        names = {reading.name for reading in self.readings}
        gone = stored - names - {SENT} - self.options.replace
        unknown = {one.name: one for one in new if one.name not in stored}
        if not unknown or not gone:
            return
        found = namesakes(self.tables.events, files, self.arrivals, sorted(unknown), sorted(gone))
        for name, (other, again) in found.items():
            unknown[name].refused = renamed(name, other, again)
            self.leave_out(unknown[name])

    def _settle_refused(self, files: Files) -> Settled:
        """Which refused rows are settled; those of earlier ingests whose moment has come are taken in."""
        held, refused = quarantine.event_ids(self.tables.quarantine), self.refusals.waiting()
        reread, newer = [*self.alias_tables], [held.slice(0, 0)]
        healed, outdated_rows = [refused.slice(0, 0)], [refused.slice(0, 0)]
        for reading in (one for one in self.readings if one.refused is None):
            name, column = reading.name, reading.watermark
            fresh = quarantine.waiting(refused, name)
            if column is not None and fresh.num_rows:
                outdated_rows.append(outdated(fresh, column, self.arrivals, name))
            rows = held.filter(pc.equal(held.column("source"), name))
            if not rows.num_rows:
                continue
            if name in self.options.replace or reading.complete or self._was_read_again(reading, files):
                reread.append(name)
                continue
            ids = rows.filter(rows.column("event_id").is_valid())
            texts = large(ids.column("event_id"))
            again = self.arrivals.came(name, texts)
            again |= pc.is_in(texts, quarantine.refused_event_ids(self.refusals, name)).to_numpy(False)
            newer.append(ids.filter(pa.array(again)))
            healed.append(self._retry(reading, newer[-1].column("event_id")))
        return Settled(
            reread,
            pa.concat_tables(newer),
            *(pa.concat_tables(rows).select(quarantine.ROW) for rows in (healed, outdated_rows)),
        )

    def _retry(self, reading: SourceReading, newer: pa.ChunkedArray) -> pa.Table:
        """Take in the rows of a source that wait for their moment, where it has come; gives those rows."""
        rows = quarantine.waiting(quarantine.read(self.tables.quarantine), reading.name)
        events, rows = due(rows, newer, reading.timeline, self.now)
        events, _ = self.erased.without(events, self.arrivals.customers)
        self.arrivals.take_in(self.erased.blank_suppressed_ids(events), reading.name, derive_ids=True)
        reading.retried = rows.num_rows
        return rows.select(REFUSED_SCHEMA.names)

    def _was_read_again(self, reading: SourceReading, files: Files) -> bool:
        """Whether a reading covers what was read before, so that it brings all rows that there still are."""
        if reading.watermark is not None and not reading.changed:
            return False
        return was_read_again(self.tables.events, files, self.arrivals, reading.name)

    def _commit(self, change: TableChange, settled: Settled) -> None:
        tables, run = self.tables, self.run
        people = plan_growth(tables.customers, self.arrivals.customers, run)
        left_out = [reading.name for reading in self.readings if reading.refused is not None]
        customers = self.arrivals.customers
        held = quarantine.plan(tables.quarantine, self.refusals, customers, self.now, run, settled, left_out)
        if people is not None:
            tables.customers.commit(*people, record={"given": len(customers)})
        tables.quarantine.commit(held.gained, held.lost)
        before = {key: value for key, value in tables.events.record().items() if key != PENDING}
        record = {**before, **self._new_record(change)}
        if change.added or change.removed or record != before:
            # Settled rows leave the quarantine with the commit that brings them in: see `apply_pending`.
            pending = {} if held.after is None else {PENDING: held.after.as_record()}
            tables.events.commit(
                sorted(change.added, key=lambda file: file.bucket or 0),
                change.removed,
                record={**record, **pending},
            )
        if held.after is not None:
            held.after.apply(tables.quarantine)
        if self.people is not None and (named := plan_aliases(tables.aliases, customers, run)) is not None:
            tables.aliases.commit(*named)

    def _new_record(self, change: TableChange) -> dict[str, Any]:
        """What the commit notes: where each source is read next, by which query, and its repeated ids."""
        stored = [reading for reading in self.readings if reading.refused is None and reading.fingerprint]
        noted = self.tables.events.record()
        queries = {**noted.get("queries", {}), **{one.name: one.fingerprint for one in stored}}
        several = {**noted.get("several_rows", {})}
        several |= {one.name: change.several.get(one.name, 0) for one in stored}
        record: dict[str, Any] = {
            "watermarks": self.marks,
            "formats": {name: known for name, known in self.formats.items() if known},
            "queries": queries,
            "several_rows": {name: ids for name, ids in several.items() if ids},
        }
        return {**record, NUMBERED: BY_SOURCE} if self.arrivals.by_source else record

    def _tell(self, share: float) -> None:
        if self.progress:
            self.progress("sorting and storing", 0.5 + 0.5 * share)
