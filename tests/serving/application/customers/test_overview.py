"""One customer's overview and scores over time, on good days and on bad ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import UnknownCustomer
from serving.application.customers.overview import customer_overview
from serving.application.customers.score_history import score_history
from serving.application.data.erase import erase
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.lists.customers.score_history import NEWEST, chosen_files
from serving.state.scores.score_index import ScoreFile, scores_by_date
from tests.serving import shop as shops


def test_scores_over_time_are_those_of_every_file_and_mark_another_model(shop: Workspace) -> None:
    shops.score_all(shop.project.folder, shop.project.folder / "bundle", "2", ("2025-02-05",))
    history = score_history(shop, COMMAND_LINE, "c0009")
    name = shop.project.timeline.name
    assert [name(one.as_of) for one in history.points] == [
        "2024-10-01",
        "2025-01-01",
        "2025-02-01",
        "2025-02-05",
    ]
    assert [one.other_model for one in history.points] == [False, False, False, True]
    now = customer_overview(shop, COMMAND_LINE, "c0009")
    assert history.points[-1].churn_probability == now.churn_probability
    assert history.points[-1].tier == now.tier


def test_a_score_file_that_is_gone_or_damaged_is_passed_over(shop: Workspace) -> None:
    (first, second, _) = scores_by_date(shop.database)
    (shop.project.scores / first.file).write_bytes(b"broken")
    (shop.project.scores / second.file).unlink()
    assert len(score_history(shop, COMMAND_LINE, "c0009").points) == 1


def test_of_many_dates_the_newest_are_shown_and_older_ones_by_month(shop: Workspace) -> None:
    days = [date.fromordinal(date(2025, 1, 31).toordinal() - back) for back in range(120)]
    instant = shop.project.timeline.instant
    files = [ScoreFile(day.isoformat(), instant(day), "1", "d", 1, 0) for day in days]
    chosen = [one.file for one in chosen_files(files, shop.project.timeline)]
    assert chosen[:NEWEST] == [day.isoformat() for day in days[:NEWEST]]
    assert chosen[NEWEST:] == ["2025-01-07", "2024-12-31", "2024-11-30", "2024-10-31"]


def test_somebody_new_is_shown_without_a_risk(shop: Workspace) -> None:
    row = {"customer_id": "newcomer", "occurred_at": "2025-02-05T10:00:00Z", "kind": "purchase", "value": 9.0}
    table = pa.Table.from_pylist([row])
    shop.store.add(table, source="crm", timeline=shop.project.timeline, now=shop.clock())
    found = customer_overview(shop, COMMAND_LINE, "newcomer")
    assert (found.scored, found.churn_probability, found.certainty, found.plan) == (False, None, None, None)
    assert (found.events, found.refused_channels) == (1, ())
    assert score_history(shop, COMMAND_LINE, "newcomer").points == ()


def test_before_anything_was_scored_what_is_known_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    shops.lay_out(folder)
    shops.ingest(folder)
    fresh = open_workspace(CliContext(folder).project, lambda: 10**16)
    found = customer_overview(fresh, COMMAND_LINE, "c0009")
    assert (found.scored, found.source, found.outcome) == (False, None, None)
    assert [(one.name, one.value) for one in found.attributes] == [("plan", "basic")]


def test_how_sure_it_is_comes_from_the_models_test_and_says_low_evidence(shop: Workspace) -> None:
    shown = customer_overview(shop, COMMAND_LINE, "c0009").certainty
    assert shown is not None
    assert (shown.evidence, shown.error, shown.observed) == ("normal", None, None), "the bundle has no test"
    reader = shop.scores.current()
    tier = int(reader.scores.answers.tier[reader.scores.row(9) or 0])
    figures = {
        "expected_calibration_error": 0.01,
        "expected_calibration_error_high": 0.02,
        "test_customers": 500.0,
        f"reliability/tier_{tier}/said": 0.2,
        f"reliability/tier_{tier}/happened": 0.25,
        f"reliability/tier_{tier}/happened_low": 0.2,
        f"reliability/tier_{tier}/happened_high": 0.3,
    }
    tested = replace(reader, bundle=replace(reader.bundle, figures=figures, evidence="low"))

    class Scores:
        """The scores in use, of a model that was tested."""

        current = staticmethod(lambda: tested)

    judged = customer_overview(replace(shop, scores=Scores()), COMMAND_LINE, "c0009").certainty  # type: ignore[arg-type]
    assert judged is not None
    assert (judged.evidence, judged.error, judged.error_high, judged.tested) == ("low", 0.01, 0.02, 500)
    assert (judged.predicted, judged.observed, judged.observed_low, judged.observed_high) == (
        0.2,
        0.25,
        0.2,
        0.3,
    )


def test_an_erased_customer_is_in_no_use_case(shop: Workspace) -> None:
    assert customer_overview(shop, COMMAND_LINE, "c0009").campaigns
    erase(shop, COMMAND_LINE, "c0009")
    for use_case in (customer_overview, score_history):
        with pytest.raises(UnknownCustomer):
            use_case(shop, COMMAND_LINE, "c0009")
