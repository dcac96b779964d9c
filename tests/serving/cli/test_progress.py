"""Progress where there is no terminal."""

from __future__ import annotations

import pytest

from serving.cli.progress import progress


def test_counts_that_grow_within_a_step_do_not_fill_a_log_with_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress(str) as report:
        for rows in range(0, 5_000_000, 122_880):
            report(f"reading orders: {rows:,} rows", 0.2)
        report("sorting and storing", 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "reading orders: 0 rows (20%)",
        "sorting and storing (50%)",
    ]
