"""What waits to be delivered, in the project's records: each delivery once, until it is taken or dead."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from serving.state.database import Database
from serving.state.tables import OUTBOX


@dataclass(frozen=True)
class Delivery:
    """One body for one webhook; `state` is waiting, sent or dead. Instants in microseconds UTC."""

    id: int
    key: str
    webhook: str
    content: str
    state: str
    attempts: int
    next_at: int
    created_at: int
    trouble: str


class Outbox:
    """The deliveries of a project."""

    def __init__(self, records: Database) -> None:
        self._records = records

    def put(self, key: str, webhook: str, content: str, now: int) -> bool:
        """Add a delivery; False when one of this key is there already, whatever became of it."""
        row = {"key": key, "webhook": webhook, "content": content, "state": "waiting", "attempts": 0}
        try:
            with self._records.writing() as connection:
                connection.execute(insert(OUTBOX).values(**row, next_at=now, created_at=now))
        except IntegrityError:
            return False
        return True

    def due(self, now: int) -> list[Delivery]:
        """What waits and may be tried, oldest first."""
        return [one for one in self.all("waiting") if one.next_at <= now]

    def all(self, state: str) -> list[Delivery]:
        """Every delivery in this state, oldest first."""
        columns = [OUTBOX.c[name] for name in Delivery.__dataclass_fields__]
        with self._records.writing() as connection:
            rows = connection.execute(select(*columns).where(OUTBOX.c.state == state).order_by(OUTBOX.c.id))
            return [Delivery(**row) for row in rows.mappings()]

    def claim(self, delivery: Delivery, until: int) -> bool:
        """Take a delivery for oneself until then; False when another took it first."""
        mine = (OUTBOX.c.id == delivery.id) & (OUTBOX.c.next_at == delivery.next_at)
        with self._records.writing() as connection:
            taken = update(OUTBOX).where(mine & (OUTBOX.c.state == "waiting")).values(next_at=until)
            return connection.execute(taken).rowcount == 1

    def done(self, delivery: Delivery, now: int) -> None:
        """It was taken."""
        self._set(delivery, state="sent", attempts=delivery.attempts + 1, sent_at=now, trouble="")

    def again(self, delivery: Delivery, at: int, trouble: str) -> None:
        """It was not taken, and is tried again at that instant."""
        self._set(delivery, attempts=delivery.attempts + 1, next_at=at, trouble=trouble[:500])

    def bury(self, delivery: Delivery, trouble: str) -> None:
        """It is not tried again unless somebody asks for it; its content is kept."""
        self._set(delivery, state="dead", attempts=delivery.attempts + 1, trouble=trouble[:500])

    def revive(self, now: int) -> int:
        """Let every dead delivery be tried again; says how many."""
        dead = update(OUTBOX).where(OUTBOX.c.state == "dead")
        with self._records.writing() as connection:
            return connection.execute(dead.values(state="waiting", attempts=0, next_at=now)).rowcount

    def _set(self, delivery: Delivery, **values: object) -> None:
        with self._records.writing() as connection:
            connection.execute(update(OUTBOX).where(OUTBOX.c.id == delivery.id).values(**values))
