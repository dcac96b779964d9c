"""The scope of an event id: the source that gave it, all that share theirs, or what was sent live."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events.history import Codes
from features.storage.hashing import Words, of_texts
from features.storage.string_dictionary import StringDictionary

SENT = "sent"
"""The source of everything that is sent live."""
ANY, SHARED = -1, -2
"""The scope of what is sent live: its id names the event of that id of the same customer, whatever source
gave it. The scope of all sources with `shared_ids`: one id, one event."""


class EventIdScopes:
    """Tells whose equal event ids name one event: those of different sources do not, as a rule."""

    def __init__(self, vocabulary: StringDictionary, shared: Iterable[str] = ()) -> None:
        self.vocabulary, self.shared = vocabulary, frozenset(shared)

    def codes(self, sources: Codes) -> Codes:
        """int32[n]: the scope of each row, by the code of its source."""

        def scope(source: str, code: int) -> int:
            return ANY if source == SENT else SHARED if source in self.shared else code

        return self._by_source(sources, np.zeros(0, np.int32), scope)

    def words(self, sources: Codes) -> Words:
        """uint64[n]: what the fingerprint of each row's id is mixed with, so that it names the scope too."""
        return self._by_source(sources, np.zeros(0, np.uint64), lambda source, _: self.word(source))

    def word(self, source: str) -> int:
        """What the fingerprints of a source's ids are mixed with."""
        scope = "" if source in self.shared else source
        return int(of_texts(pa.array([scope], pa.large_string()))[1][0])

    def code(self, source: str) -> int:
        """The code of a source in the vocabulary, -1 where no row has it."""
        return int(self.vocabulary.codes(pa.array([source], pa.large_string()))[0])

    def _by_source(
        self, sources: Codes, empty: NDArray[Any], of_source: Callable[[str, int], int]
    ) -> NDArray[Any]:
        if not len(sources):
            return empty
        rows = np.bincount(sources)
        used = np.flatnonzero(rows)
        texts = self.vocabulary.texts
        table = np.zeros(len(rows), empty.dtype)
        for code in used.tolist():
            table[code] = of_source(texts[code].as_py(), code)
        return np.full(len(sources), table[used[0]]) if len(used) == 1 else table[sources]
