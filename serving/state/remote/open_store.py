"""Opens the event store of a project: in its state folder, or in an object store with its writers' lock."""

from __future__ import annotations

from features.event_store import BUCKETS, EventStore
from serving.project.settings import Project
from serving.state.database import Database
from serving.state.remote.writer_lock import AdvisoryLock


def open_store(project: Project, database: Database) -> EventStore:
    """The event store of a project; `database` holds the lock where machines share the store."""
    url, buckets = project.state_url, project.settings.cluster.buckets or BUCKETS
    if url is None:
        return EventStore(project.state, buckets=buckets)
    return EventStore(url, buckets=buckets, writers=AdvisoryLock(database, url))
