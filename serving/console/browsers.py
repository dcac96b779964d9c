"""Browsers as people call them, from what they send as `User-Agent`."""

from __future__ import annotations

import re

# The first that fits: most browsers name others too, for old pages.
_NAMES = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> str:
    """Such as `Chrome · Windows`; the program's own name where it is no browser."""
    name = next((shown for part, shown in _NAMES if part in agent), None)
    system = next((shown for part, shown in _SYSTEMS if part in agent), None)
    if name is None:
        return re.split(r"[/ (]", agent.strip(), maxsplit=1)[0] or "–"
    return name if system is None else f"{name} · {system}"
