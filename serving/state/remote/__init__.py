"""A state in an object store: its event store, the lock of its writers, and the copies of its files."""
