"""A service whose truth is known: what is written, and that its causes are real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from features.errors import UsageError
from features.simulation.simulate import simulate
from serving.cli.context import CliContext


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    simulate(folder, customers=3_000, months=18, seed=3)
    return folder


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"file_search_path": str(folder)}) as database:
        database.execute("set TimeZone = 'Asia/Tokyo'")
        return database.execute(query).fetchall()


def test_a_seed_gives_the_same_files_byte_for_byte_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        simulate(tmp_path / name, customers=200, months=6, seed=seed)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.parquet")]
    assert len(files) == 14
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    orders = Path("data/orders.parquet")
    assert (tmp_path / "one" / orders).read_bytes() != (tmp_path / "other" / orders).read_bytes()


def test_the_record_ends_on_the_last_day_of_2024_and_begins_so_many_months_before(service: Path) -> None:
    tables = [file.stem for file in (service / "data").glob("*.parquet") if file.stem != "profiles"]
    spans = [
        ask(service, f"select min(happened_at)::date, max(happened_at)::date from 'data/{name}.parquet'")[0]
        for name in tables
    ]
    assert min(str(first) for first, _ in spans) == "2023-07-01"
    assert {str(last) for _, last in spans if str(last) > "2024-12-30"} == {"2024-12-31"}
    assert max(str(last) for _, last in spans) == "2024-12-31"


def test_the_truth_stands_apart_with_the_columns_that_tests_rely_on(service: Path) -> None:
    columns = {file.stem: pq.read_schema(file).names for file in (service / "truth").glob("*.parquet")}
    assert columns == {
        "hazard": ["customer_id", "from", "to", "hazard"],
        "causes": ["customer_id", "from", "cause"],
        "contacts": ["customer_id", "at", "effect"],
    }
    assert "truth" not in "".join(
        line for line in (service / "kizuna.toml").read_text().splitlines() if not line.startswith("#")
    )


def test_hazard_rows_follow_each_other_without_gap_to_the_end_of_the_record(service: Path) -> None:
    ((rows, gaps, not_positive, unfinished),) = ask(
        service,
        """
        with rows as (
            select customer_id, "from", "to", hazard,
                   lead("from") over (partition by customer_id order by "from") as following
            from 'truth/hazard.parquet'
        )
        select count(*), count(*) filter (following is not null and following <> "to"),
               count(*) filter (hazard <= 0 or "to" <= "from"),
               count(*) filter (following is null and "to" <> timestamptz '2025-01-01 00:00:00+09')
        from rows
        """,
    )
    assert rows > 3_000
    assert (gaps, not_positive, unfinished) == (0, 0, 0)


def test_as_many_customers_leave_as_the_hazards_of_those_who_are_there_say(service: Path) -> None:
    """The gathered hazard is the compensator of the departures: the difference has its variance."""
    ((left, expected),) = ask(
        service,
        """
        with spells as (
            select customer, happened_at as start,
                   coalesce((select min(e.happened_at) from 'data/contracts.parquet' as e
                             where e.customer = s.customer and e.kind = 'cancelled'
                               and e.happened_at > s.happened_at),
                            timestamp '2025-01-01') as stop
            from 'data/contracts.parquet' as s where kind = 'started'
        )
        select (select count(*) from 'data/contracts.parquet' where kind = 'cancelled'),
               sum(hazard / 86400 * greatest(0, epoch(least("to"::timestamp, stop))
                                                - epoch(greatest("from"::timestamp, start))))
        from spells join 'truth/hazard.parquet' on customer_id = customer
        """,
    )
    assert left > 500
    assert abs(left - expected) < 3 * expected**0.5


@pytest.mark.parametrize(
    ("cause", "factor"), [("slow_answers", 6.0), ("falling_use", 9.0), ("unused_features", 3.5)]
)
def test_a_planted_cause_raises_the_hazard_by_its_factor_when_it_begins(
    service: Path, cause: str, factor: float
) -> None:
    ratios = ask(
        service,
        f"""
        select after.hazard / before.hazard
        from 'truth/causes.parquet' as c
        join 'truth/hazard.parquet' as before on before.customer_id = c.customer_id and before."to" = c."from"
        join 'truth/hazard.parquet' as after on after.customer_id = c.customer_id and after."from" = c."from"
        where cause = '{cause}' and after.hazard < 0.079
        """,
    )
    assert len(ratios) > 100
    assert sum(abs(ratio / factor - 1) < 1e-6 for (ratio,) in ratios) > 0.95 * len(ratios)


def test_contacts_help_some_do_nothing_for_most_and_drive_some_away(service: Path) -> None:
    shares = dict(
        ask(
            service,
            "select effect, count(*) / sum(count(*)) over () from 'truth/contacts.parquet' group by effect",
        )
    )
    assert set(shares) == {"helps", "nothing", "drives_away"}
    assert 0.25 < shares["helps"] < 0.45
    assert 0.05 < shares["drives_away"] < 0.25


def test_causes_show_in_what_customers_do_and_say(service: Path) -> None:
    ((slow, quick),) = ask(
        service,
        """
        select avg(score) filter (slow), avg(score) filter (not slow)
        from (select score, exists (from 'truth/causes.parquet' as c
                                    where c.customer_id = customer and cause = 'slow_answers'
                                      and happened_at >= c."from"::timestamp
                                      and happened_at < c."from"::timestamp + interval 60 days)
                            as slow
              from 'data/surveys.parquet' where kind = 'nps')
        """,
    )
    assert slow < quick - 1
    ((never,),) = ask(service, "select 1 - count(distinct customer) / 3000 from 'data/surveys.parquet'")
    assert never > 0.4


def test_every_indicator_is_there_and_the_product_takes_every_row_as_it_is(service: Path) -> None:
    call = CliContext(service)
    project = call.project
    receipts = call.store.ingest(
        project.settings.sources,
        project.settings.attributes,
        folder=service,
        timeline=project.timeline,
        now=call.now,
    )
    assert all(receipt.new == receipt.read and receipt.quarantined == 0 for receipt in receipts)
    present = {name for history in call.store.histories() for name in history.kind_names}
    for indicator in project.indicators:
        missing = set(indicator.kinds) - present - {"session", "login", "completed"}
        assert not missing, indicator.name


def test_a_folder_with_a_project_is_left_alone(service: Path) -> None:
    with pytest.raises(
        UsageError,
        match=f"^cannot simulate into {service}: there is a kizuna.toml already. "
        r"Name a folder that is new or empty, or move a simulated one on with --advance\.$",
    ):
        simulate(service, customers=10, months=3, seed=0)
