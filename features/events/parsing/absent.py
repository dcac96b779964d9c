"""Texts that say nothing: empty, a dash, N/A, null, なし."""

from __future__ import annotations

_ABSENT = frozenset(
    {
        "", "-", "--", "---", "–", "—", "―", "ー", "−", "n/a", "na", "#n/a", "#na", "null", "(null)",
        "<null>", "none", "nil", "\\n", "undefined", "なし", "無し", "無", "未設定", "不明", "該当なし",
        "データなし", "空白",
    }
)  # fmt: skip


def is_absent(text: str) -> bool:
    """Whether a text says that there is no value."""
    return text.strip().casefold() in _ABSENT
