"""A sentence for people, in both languages."""

from __future__ import annotations

from typing import NamedTuple


class BilingualMessage(NamedTuple):
    """What a gate has to say."""

    english: str
    japanese: str
