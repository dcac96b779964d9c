"""The day that answers are for: what customers did last decides it, not what is noted or sent about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.timeline import DAY
from serving.cli.context import CliContext
from serving.integrations.training import tracking, training_config
from serving.schemas.requests import PredictRequest
from serving.scoring.live import predict
from serving.state.active_model import ActiveModel
from tests.experiments import prepare
from tests.inputs.services import answer, kizuna
from tests.serving import shop
from training.bundle.model_bundle import Bundle
from training.data.extent import data_extent
from training.data.splits import temporal_splits
from training.labels.settings import Churn

LAST = "2025-02-03"
"""The shop's last day with an order."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop with a champion."""
    folder = tmp_path_factory.mktemp("trained")
    shop.lay_out(folder)
    shop.ingest(folder)
    prepare(folder)
    registry = tracking(CliContext(folder).project)
    with registry.run("run") as run:
        registry.register(run, shop.learned(folder))
    registry.promote("1")
    return folder


@pytest.fixture
def own(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "own"))


def note(folder: Path, kind: str, day: str, customers: int = 1, more: str = "") -> None:
    """One more source, with an event of this kind on a day; `more` goes into kizuna.toml."""
    table = {
        "customer_id": [f"c{n:04d}" for n in range(customers)],
        "occurred_at": pa.array([f"{day}T09:00:00"] * customers),
        "kind": [kind] * customers,
    }
    pq.write_table(pa.table(table), folder / "data" / "noted.parquet")
    file = folder / "kizuna.toml"
    source = '[[sources]]\nname = "noted"\nquery = "select * from \'data/noted.parquet\'"\n'
    file.write_text(f"{source}\n{file.read_text(encoding='utf-8')}\n{more}", encoding="utf-8")
    assert kizuna(folder, "ingest") == 0


MINE = '[indicators.letters]\nkinds = ["letter"]\norigin = "company"\n'


@pytest.mark.parametrize(
    ("kind", "customers", "more"),
    [
        ("call_made", 1, ""),
        ("email_sent", 240, ""),
        ("letter", 100, MINE),
        ("remark", 3, ""),
        ("visit", 1, ""),
    ],
    ids=["a call of today", "a campaign", "the company's own kind", "a kind of no indicator", "one visit"],
)
def test_what_is_noted_long_after_the_last_order_makes_nobody_look_gone(
    own: Path, capsys: pytest.CaptureFixture[str], kind: str, customers: int, more: str
) -> None:
    before = answer(capsys, own, "score")
    note(own, kind, "2025-04-20", customers, more)
    said = answer(capsys, own, "score")
    assert (said["as_of"], said["cohort"]) == ("2025-02-04", before["cohort"])
    assert said["silence_measured_until"] == before["silence_measured_until"] == LAST
    assert said["warnings"] == []
    answered = answer(capsys, own, "at-risk", "--limit", "1")
    assert answered["as_of"] == "2025-02-04"
    assert answered["freshness"].startswith(LAST)


def test_what_is_noted_extends_neither_labels_nor_the_report(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def calendar() -> tuple[int, str, str]:
        project = CliContext(own).project
        extent = data_extent(CliContext(own).store, None, project.churn, project.timeline, project.indicators)
        report = answer(capsys, own, "report", "--months", "3")
        return extent.coverage.covered_until, report["as_of"], report["freshness"]

    before = calendar()
    note(own, "call_made", "2025-04-20")
    assert calendar() == before


def test_an_attribute_of_today_moves_nothing(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "select 'c0001' as customer_id, timestamp '2025-04-20 10:00' as known_at, 'yes' as value"
    file = own / "kizuna.toml"
    attribute = f'[[attributes]]\nname = "do_not_contact"\nquery = "{query}"\n'
    file.write_text(f"{attribute}\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    assert kizuna(own, "ingest") == 0
    assert answer(capsys, own, "score")["as_of"] == "2025-02-04"


def test_a_later_date_that_was_asked_for_is_scored_with_a_word_on_where_silence_ends(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note(own, "email_sent", "2025-03-09", 200)
    said = answer(capsys, own, "score", "--as-of", "2025-03-10")
    assert said["silence_measured_until"] == LAST
    (warning,) = said["warnings"]
    assert warning.startswith(
        f"the scores are as of 2025-03-10, but the customers' events end on {LAST}, 34 days before"
    )


def test_score_says_which_indicator_ended_and_does_not_run_past_it(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visits = [f"2025-02-{day:02d}" for day in range(1, 29)] + [f"2025-01-{day:02d}" for day in range(1, 32)]
    rows = [(f"c{n:04d}", f"{day}T10:00:00") for day in visits for n in range(20)]
    who, when = zip(*rows, strict=True)
    pq.write_table(
        pa.table({"customer_id": who, "occurred_at": when, "kind": ["visit"] * len(rows)}),
        own / "data" / "site.parquet",
    )
    file = own / "kizuna.toml"
    source = '[[sources]]\nname = "site"\nquery = "select * from \'data/site.parquet\'"\n'
    file.write_text(f"{source}\n{file.read_text(encoding='utf-8')}", encoding="utf-8")
    assert kizuna(own, "ingest") == 0
    said = answer(capsys, own, "score")
    assert said["as_of"] == "2025-02-04"
    (warning,) = said["warnings"]
    assert warning == (
        f"silence is measured until {LAST}, the last day of the indicator 'purchase' ('orders'), while what "
        "customers did otherwise goes on until 2025-02-28. Ingest what is missing and score again; "
        "`kizuna doctor` says more."
    )


def test_training_and_looking_back_end_their_labels_where_the_orders_end(own: Path) -> None:
    config = training_config(CliContext(own).project)
    churn = Churn.of(config.churn, config.indicators)

    def labelled(until: str | None) -> tuple[int, ...]:
        end = None if until is None else config.timeline.instant(until)
        extent = data_extent(CliContext(own).store, end, churn, config.timeline, config.indicators)
        return temporal_splits(extent.first, extent.coverage.covered_until, churn, config.timeline).every

    before = labelled(None)
    note(own, "email_sent", "2025-04-20", 240)
    assert labelled(None) == labelled("2025-04-21") == labelled("2025-02-04") == before


def test_freshness_of_a_live_answer_leaves_out_what_the_company_did(trained: Path) -> None:
    folder = next((trained / "mlruns").rglob("bundle.json")).parent
    model = ActiveModel("1", Bundle.load(folder))
    now = CliContext(trained).project.timeline.instant("2025-03-01")
    events = [
        {"kind": "purchase", "occurred_at": "2025-02-01T10:00:00", "value": 10.0},
        {"kind": "email_sent", "occurred_at": "2025-02-20T10:00:00"},
    ]
    sent = PredictRequest.model_validate({"customers": [{"customer_id": "a", "events": events}]})
    newest = predict(model, sent, now).newest
    assert newest is not None
    assert (now - newest) / DAY == pytest.approx(27.58, abs=0.01)
