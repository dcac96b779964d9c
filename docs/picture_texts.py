"""Which texts of the console the README's pictures show, to say when a picture shows words of another time.

`docs.pictures` records them when it draws; `docs.generate --check` compares them with today's. Only texts
that can be seen in a picture count, so that other changes of a page ask for no new picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from serving.console.texts import texts

RECORD = Path(__file__).parent / "pictures" / "texts.json"
FRAME = "shell"
"""The page of texts whose words surround every other."""

Record = dict[str, dict[str, str]]
"""By picture the English of each text in it, by its key."""


def shown_texts(page: str, visible: Iterable[str]) -> dict[str, str]:
    """The texts of a page and of the frame that are among the visible ones, each by its key."""
    parts = {part.strip() for text in visible for part in re.split(r" · |\n", text)}
    found = {}
    for key, (english, _) in sorted(texts().items()):
        if key.partition(".")[0] not in (page, FRAME):
            continue
        words = re.compile(".+?".join(map(re.escape, re.split(r"{[^}]*}", english))))
        if any(words.fullmatch(part) for part in parts) and re.search(
            r"\w{3}", re.sub("{[^}]*}", "", english)
        ):
            found[key] = english
    return found


def stale_pictures(record: Record | None = None) -> list[str]:
    """A sentence for each picture that shows a text which reads otherwise now, or is gone."""
    pictures = json.loads(RECORD.read_text(encoding="utf-8")) if record is None else record
    found = []
    for picture, shown in pictures.items():
        changed = [key for key, english in shown.items() if texts().get(key, ("", ""))[0] != english]
        if changed:
            found.append(f"docs/pictures/{picture} shows earlier words of {', '.join(changed)}")
    return found
