"""The command line: what it prints, how it ends, and that a refusal leaves everything as it was."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.cli.context import CliContext
from serving.cli.main import main
from tests.serving import shop
from tests.serving.running import COMMAND
from training.bundle.model_bundle import Bundle
from training.registry.mlflow_tracking import Tracking


class Ended:
    """How one call ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def refusal(self) -> str:
        """The last line on standard error, after any progress."""
        return self.err.strip().splitlines()[-1]


Kizuna = Callable[..., Ended]


@pytest.fixture
def kizuna(capsys: pytest.CaptureFixture[str]) -> Kizuna:
    def run(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Ended(int(end.value.code or 0), said.out, said.err)

    return run


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its digest; without locks and a database's log."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal", ".lock"))
    }


def with_query(folder: Path, query: str) -> Path:
    """A project with one source and this query."""
    folder.mkdir(exist_ok=True)
    (folder / "kizuna.toml").write_text(f"[[sources]]\nname = 'orders'\nquery = '''{query}'''\n")
    return folder


GOOD = "select 'a' as customer_id, timestamp '2024-01-01' as occurred_at, 'purchase' as kind"


def regular(start: str, gap: str, events: int) -> str:
    """Thirty customers who buy one after the other, for ever."""
    return (
        f"select 'c' || (n % 30) as customer_id, timestamp '{start}' + n * interval '{gap}' as occurred_at, "
        f"'purchase' as kind from range({events}) t(n)"
    )


def test_help_answers_at_once_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['kizuna', '--help']\n"
        "from serving.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = 'numpy pyarrow lightgbm numba duckdb pydantic sqlalchemy rich bentoml mlflow'.split()\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip() == "[]"
    assert "at-risk" in done.stdout
    # Processor time: the machine may be busy with other tests.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_every_command_has_help(kizuna: Kizuna) -> None:
    names = "init ingest features train backtest score at-risk explain serve erase keys"
    for command in names.split():
        assert kizuna(command, "--help").code == 0


def test_init_then_ingest_then_again(kizuna: Kizuna, tmp_path: Path) -> None:
    ended = kizuna("init", tmp_path / "new")
    assert ended.code == 0
    file = tmp_path / "new" / "kizuna.toml"
    assert ended.out == f"Wrote {file}. Tell it where your data is, then run `kizuna ingest`.\n"
    folder = with_query(tmp_path / "new", GOOD)
    first, again = (json.loads(kizuna("-C", folder, "--json", "ingest").out) for _ in range(2))
    assert (first["sources"][0]["new"], first["sources"][0]["already_there"]) == (1, 0)
    assert (again["sources"][0]["new"], again["sources"][0]["already_there"]) == (0, 1)


def test_events_without_a_customer_are_quarantined_and_counted(kizuna: Kizuna, tmp_path: Path) -> None:
    rows = [("null", "2024-01-02"), ("'b'", "1950-01-01"), ("'c'", "2999-01-01")]
    bad = "".join(f" union all select {name}, timestamp '{day}', 'purchase'" for name, day in rows)
    folder = with_query(tmp_path, GOOD + bad)
    ended = kizuna("-C", folder, "ingest")
    assert ended.code == 0
    assert ended.out == (
        "orders: 4 read, 1 new, 0 already there, 0 corrected, 3 quarantined (1 without a customer)\n"
        "  1 quarantined: customer_id is empty\n"
        '    for example {"occurred_at": "2024-01-02 00:00:00", "kind": "purchase"}\n'
        "  1 quarantined: occurred_at is before 1970\n"
        '    for example {"customer_id": "b", "occurred_at": "1950-01-01 00:00:00", "kind": "purchase"}\n'
        "  1 quarantined: occurred_at is in the future\n"
        '    for example {"customer_id": "c", "occurred_at": "2999-01-01 00:00:00", "kind": "purchase"}\n'
        "`kizuna doctor` says which rows are in quarantine.\n"
    )


def test_a_first_ingest_whose_rows_are_all_refused_says_so(kizuna: Kizuna, tmp_path: Path) -> None:
    folder = with_query(tmp_path, GOOD.replace("'a'", "null::varchar"))
    ended = kizuna("-C", folder, "ingest")
    assert (ended.code, ended.out) == (
        0,
        "orders: 1 read, 0 new, 0 already there, 0 corrected, 1 quarantined (1 without a customer)\n"
        "  1 quarantined: customer_id is empty\n"
        '    for example {"occurred_at": "2024-01-01 00:00:00", "kind": "purchase"}\n',
    )


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "select 'a' as customer, timestamp '2024-01-01' as occurred_at, 'purchase' as kind",
            "cannot ingest source 'orders': its query gives no column 'customer_id'. It has customer, "
            "occurred_at, kind; name one of them so, as in `x as customer_id`.",
        ),
        (
            "select 'a' as customer_id, timestamp '2024-01-01' as occurred_at, 'purchase' as kind, "
            "'much' as value",
            "cannot ingest source 'orders': its column value is string and cannot be read (as in "
            "'much'). Give numbers such as 1200 or -3.5 in the query.",
        ),
        (
            "select 'a' as customer_id, timestamp '2999-01-01' as occurred_at, 'purchase' as kind",
            "cannot ingest source 'orders': every occurred_at lies in the future, as '2999-01-01 "
            "00:00:00'. "
            "Check the time zone, the unit and the clock.",
        ),
        (
            "select 'a' as customer_id, timestamp '1950-01-01' as occurred_at, 'purchase' as kind",
            "cannot ingest source 'orders': every occurred_at lies before 1970, as '1950-01-01 "
            "00:00:00'. "
            "Check the unit of its timestamps.",
        ),
        (
            f"{GOOD} where false",
            "cannot ingest source 'orders': its query gave no rows. "
            "Check its file names and conditions, or remove the source.",
        ),
    ],
)
def test_a_bad_source_is_refused_and_the_store_stays(
    kizuna: Kizuna, tmp_path: Path, query: str, sentence: str
) -> None:
    folder = with_query(tmp_path, GOOD)
    assert kizuna("-C", folder, "ingest").code == 0
    before = content(folder / "state")
    with_query(folder, query)
    ended = kizuna("-C", folder, "ingest")
    assert (ended.code, ended.out, ended.refusal) == (4, "", sentence)
    assert content(folder / "state") == before


def test_without_a_project_every_command_says_so(kizuna: Kizuna, tmp_path: Path) -> None:
    for command in ("ingest", "train", "score", "at-risk", "serve"):
        ended = kizuna("-C", tmp_path, command)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err == (
            f"cannot open a project in {tmp_path}: there is no kizuna.toml there. Run `kizuna init` to "
            "write one, or name the folder that holds it with `kizuna -C FOLDER`.\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_with_json_a_refusal_is_an_object_too(kizuna: Kizuna, tmp_path: Path) -> None:
    ended = kizuna("-C", tmp_path, "--json", "score")
    error = json.loads(ended.out)["error"]
    assert (error["code"], error["message"] + "\n", ended.code) == ("bad_configuration", ended.err, 3)
    ended = kizuna("-C", tmp_path, "--json", "score", "--zork")
    assert json.loads(ended.out)["error"]["code"] == "bad_input"
    assert ended.code == 2
    ended = kizuna("--json", "zork")
    assert (json.loads(ended.out)["error"]["message"], ended.code) == ("No such command 'zork'.", 2)


def test_wrong_usage_ends_with_2(kizuna: Kizuna, scored_shop: Path) -> None:
    assert kizuna("zork").code == 2
    assert kizuna("-C", scored_shop, "at-risk", "--limit", "0").code == 2
    ended = kizuna("-C", scored_shop, "features", "--as-of", "soon", "--output", "f.parquet")
    assert (ended.code, ended.err) == (
        2,
        "cannot read 'soon' as a date: write it like 2017-11-15 or 2017-11-15T09:30:00+09:00\n",
    )
    ended = kizuna("-C", scored_shop, "score", "--as-of", "2999-01-01")
    assert (ended.code, ended.err) == (
        2,
        "cannot use the date 2999-01-01: it has not come yet. Give a date in the past, or none at all.\n",
    )
    ended = kizuna("-C", scored_shop, "serve", "--host", "0.0.0.0")
    assert (ended.code, ended.err) == (
        2,
        "cannot serve on 0.0.0.0: others can reach that address, and there is no account and no API key. "
        "Make one with `kizuna users add NAME --role administrator` or `kizuna keys add NAME`, or serve this "
        "machine alone with `kizuna serve --open`.\n",
    )
    ended = kizuna("-C", scored_shop, "serve")
    assert (ended.code, ended.err) == (
        2,
        "cannot serve: there is no account and no API key, so nobody could be let in. Make one with "
        "`kizuna users add NAME --role administrator` or `kizuna keys add NAME`, or let everybody on "
        "this machine in with `kizuna serve --open`.\n",
    )
    ended = kizuna("-C", scored_shop, "serve", "--open", "--host", "0.0.0.0")
    assert (ended.code, ended.err) == (
        2,
        "cannot serve on 0.0.0.0 with --open: others can reach that address. Leave --open out and make "
        "an account with `kizuna users add NAME --role administrator` or a key with `kizuna keys add "
        "NAME`, or serve on 127.0.0.1.\n",
    )


def test_before_anything_is_scored_the_list_says_what_to_do(kizuna: Kizuna, tmp_path: Path) -> None:
    folder = with_query(tmp_path, GOOD)
    ended = kizuna("-C", folder, "at-risk")
    assert (ended.code, ended.err) == (
        5,
        "cannot answer: nothing has been scored yet. Run `kizuna score` first "
        "(after `kizuna train`, where no model was trained either).\n",
    )


def test_the_list_may_put_the_likeliest_first(kizuna: Kizuna, scored_shop: Path) -> None:
    words = ("-C", scored_shop, "--json", "at-risk", "--limit", "20", "--order-by")
    for order in ("churn_probability", "value_at_risk"):
        numbers = [one[order] for one in json.loads(kizuna(*words, order).out)["customers"]]
        assert numbers == sorted(numbers, reverse=True)
        assert len(set(numbers)) > 1


def test_the_list_as_json_csv_and_file(kizuna: Kizuna, scored_shop: Path, tmp_path: Path) -> None:
    said = json.loads(kizuna("-C", scored_shop, "--json", "at-risk", "--limit", "7").out)
    assert len(said["customers"]) == 7
    assert list(said["customers"][0]) == [
        "rank", "customer_id", "churn_probability", "tier", "predicted_tier", "expected_value",
        "value_at_risk", "uplift", "incremental_value", "lifetime_value", "reasons", "plan",
        "outcome", "left_out_because", "refused_channels",
    ]  # fmt: skip
    assert (
        kizuna("-C", scored_shop, "at-risk", "--limit", "7", "--format", "json").out
        == json.dumps(said, ensure_ascii=False) + "\n"
    )
    file = tmp_path / "list.csv"
    ended = kizuna("-C", scored_shop, "at-risk", "--limit", "7", "--output", file, "--language", "ja")
    more = "If there are more, `--limit` writes them."
    assert ended.out == f"Wrote the first 7 customers of the list to {file}. {more}\n"
    rows = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    assert [row[1] for row in rows][1:] == [one["customer_id"] for one in said["customers"]]
    default = json.loads(kizuna("-C", scored_shop, "--json", "at-risk").out)
    assert len(default["customers"]) == 20, "the capacity of kizuna.toml"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--json", "at-risk", "--format", "csv"],
            "cannot print a csv with --json, which prints one JSON object. "
            "Leave one of the two out, or write the list to a file with --output.",
        ),
        (
            ["--json", "at-risk", "--format", "table"],
            "cannot print a table with --json, which prints one JSON object. "
            "Leave one of the two out, or write the list to a file with --output.",
        ),
        (
            ["at-risk", "--format", "table", "--output", "list.txt"],
            "cannot write a table to list.txt: a table is for reading on the screen. "
            "Give --format csv or --format json.",
        ),
        (
            ["at-risk", "--output", "list.txt"],
            "cannot tell in which format to write list.txt: its name ends neither in .csv nor in .json. "
            "Give --format csv or --format json.",
        ),
        (
            ["at-risk", "--output", "nodir/list.csv"],
            "cannot write nodir/list.csv: there is no folder nodir. Make it, or give another --output.",
        ),
        (
            ["features", "--as-of", "2025-01-01", "--output", "rows.csv"],
            "cannot write rows.csv: the table is written as Parquet, which that name does not say. "
            "Give a name that ends in .parquet.",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    kizuna: Kizuna, scored_shop: Path, options: list[str], sentence: str
) -> None:
    ended = kizuna("-C", scored_shop, *options)
    assert (ended.code, ended.err) == (2, sentence + "\n")
    if "--json" in options:
        assert json.loads(ended.out)["error"]["message"] == sentence
    assert not Path("list.txt").exists()


def test_with_json_the_file_has_its_own_format_and_the_screen_one_object(
    kizuna: Kizuna, scored_shop: Path, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    ended = kizuna("-C", scored_shop, "--json", "at-risk", "--limit", "3", "--output", file)
    assert json.loads(ended.out) == {"file": str(file), "customers": 3}
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == 4
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_an_older_score_file_that_is_gone_leaves_the_list_alone(kizuna: Kizuna, own_shop: Path) -> None:
    first = json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "1").out)["customers"][0]
    older = next((own_shop / "state" / "scores").glob("20250101*"))
    older.unlink()
    assert json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "1").out)["customers"] == [first]
    ended = kizuna("-C", own_shop, "explain", first["customer_id"])
    assert (ended.code, ended.err) == (
        5,
        f"cannot read the scores in {older}: the file is missing or damaged. Run `kizuna score` again.\n",
    )


def test_a_damaged_run_of_the_store_ends_a_command_with_its_name_and_what_to_do(
    kizuna: Kizuna, own_shop: Path
) -> None:
    runs = sorted((own_shop / "state" / "events").glob("bucket=*/*.parquet"))
    for run in runs:
        run.write_bytes(run.read_bytes()[:1_000])
    ended = kizuna("-C", own_shop, "report")
    assert ended.code == 4
    assert "Traceback" not in ended.err
    assert f"cannot read the events: the store's file {runs[0]} is damaged (" in ended.err
    assert "from a backup; or move the state folder away and ingest the sources again" in ended.err


def test_a_customer_ingested_after_the_scores_is_told_from_a_stranger(kizuna: Kizuna, own_shop: Path) -> None:
    orders = own_shop / "data" / "orders.csv"
    orders.write_text(orders.read_text() + "late,2025-02-02 00:00:00,purchase,9,s1,toys,late\n")
    shop.ingest(own_shop)
    ended = kizuna("-C", own_shop, "explain", "late")
    assert (ended.code, ended.err) == (
        4,
        "cannot answer for customer 'late': the scores as of 2025-02-01 do not have them, as they were "
        "first known later. Run `kizuna score` to include them.\n",
    )


def test_explain_answers_and_refuses(kizuna: Kizuna, scored_shop: Path) -> None:
    first = json.loads(kizuna("-C", scored_shop, "--json", "at-risk", "--limit", "1").out)["customers"][0]
    said = json.loads(kizuna("-C", scored_shop, "--json", "explain", first["customer_id"]).out)
    assert said["customer"]["churn_probability"] == first["churn_probability"]
    assert said["previous"]["as_of"] == shop.DATES[0]
    ended = kizuna("-C", scored_shop, "explain", "nobody")
    assert (ended.code, ended.err) == (
        4,
        "cannot answer for customer 'nobody': no event of theirs was ever ingested. "
        "Check the identifier, or run `kizuna ingest` if they are new.\n",
    )


def test_features_are_one_row_per_customer_of_the_cohort(
    kizuna: Kizuna, scored_shop: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "features.parquet"
    ended = kizuna("-C", scored_shop, "features", "--as-of", "2024-10-01", "--output", file)
    assert ended.code == 0
    written, table = file.read_bytes(), pq.read_table(file)
    assert table.column_names[0] == "customer_id"
    assert {"purchase_count_30d", "purchase_days_since_last", "profile_plan_last_detail"} <= set(
        table.column_names
    )
    assert set(table.column("profile_plan_last_detail").to_pylist()) == {"gold", "basic", None}
    assert len(set(table.column("customer_id").to_pylist())) == table.num_rows > 100
    assert f"Wrote {table.num_rows} customers × {table.num_columns - 1} features to {file}." in ended.out
    ended = kizuna("-C", scored_shop, "features", "--as-of", "2023-01-01", "--output", file)
    assert (ended.code, ended.refusal) == (
        4,
        "cannot compute features as of 2023-01-01: no customer then could still leave. "
        "Give another date with --as-of, or ingest more events with `kizuna ingest`.",
    )
    assert file.read_bytes() == written, "the file that was there stays"


def test_features_are_written_as_a_folder_where_the_name_says_no_format(
    kizuna: Kizuna, scored_shop: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    folder = tmp_path / "features"
    ended = kizuna("-C", scored_shop, "features", "--as-of", "2024-10-01", "--output", folder)
    assert ended.code == 0
    files = sorted(folder.iterdir())
    assert files[0].name == "part-00000.parquet"
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    columns = len(pq.read_schema(files[0]).names)
    wrote = f"Wrote {rows} customers × {columns - 1} features to {folder}, as {len(files)} files."
    assert wrote in ended.out
    ended = kizuna("-C", scored_shop, "features", "--as-of", "2023-01-01", "--output", folder)
    assert ended.code == 4
    assert sorted(folder.iterdir()) == files, "the folder that was there stays"
    assert list(tmp_path.iterdir()) == [folder]


def test_keys_are_shown_once_and_can_be_revoked(kizuna: Kizuna, own_shop: Path) -> None:
    key = json.loads(kizuna("-C", own_shop, "--json", "keys", "add", "crm", "--scope", "read").out)["key"]
    listed = kizuna("-C", own_shop, "keys", "list").out
    assert listed == "crm: read; last used never\n"
    assert key not in listed
    assert kizuna("-C", own_shop, "keys", "revoke", "crm").code == 0
    assert kizuna("-C", own_shop, "keys", "list").out.startswith("crm: read; revoked 20")


def test_erase_removes_every_trace_and_says_so(kizuna: Kizuna, own_shop: Path) -> None:
    first = json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "1").out)["customers"][0]
    name = first["customer_id"]
    receipt = json.loads(kizuna("-C", own_shop, "--json", "erase", name).out)
    assert receipt["customer_id"] == name
    assert receipt["events"] > 0
    assert receipt["score_files"] == 2
    left = json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "1000").out)["customers"]
    assert name not in [one["customer_id"] for one in left]
    assert kizuna("-C", own_shop, "explain", name).code == 4
    # Files are named in hexadecimal digits, among which the name may stand by chance.
    trace = re.compile(rb"(?<![0-9a-f])" + name.encode() + rb"(?![0-9a-f])")
    for path in (own_shop / "state").rglob("*"):
        if path.is_file():
            assert not trace.search(path.read_bytes()), path
    assert kizuna("-C", own_shop, "erase", name).code == 0, "asking again is no error"


def test_erase_is_not_stopped_by_a_file_that_cannot_be_read(kizuna: Kizuna, own_shop: Path) -> None:
    first = json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "1").out)["customers"][0]
    scores = own_shop / "state" / "scores"
    (scores / ".tmpx.arrow").write_bytes(b"half a file")
    older = next(scores.glob("20250101*"))
    older.write_bytes(b"damaged")
    ended = kizuna("-C", own_shop, "erase", first["customer_id"])
    assert ended.code == 0
    assert "1 score files rewritten.\n" in ended.out
    assert f"\n  deleted the unreadable .tmpx.arrow\n  deleted the unreadable {older.name}\n" in ended.out
    assert [path.name for path in scores.iterdir()] == [next(scores.glob("20250201*")).name]


def test_someone_whose_rows_were_all_refused_can_be_erased(kizuna: Kizuna, own_shop: Path) -> None:
    orders = own_shop / "data" / "orders.csv"
    orders.write_text(orders.read_text() + "eve,1950-01-01 00:00:00,purchase,9,s1,toys,eve1\n")
    shop.ingest(own_shop)
    receipt = json.loads(kizuna("-C", own_shop, "--json", "erase", "eve").out)
    assert (receipt["events"], receipt["refused_rows"], receipt["score_files"]) == (0, 1, 0)
    assert kizuna("-C", own_shop, "erase", "eve").code == 0


def test_score_takes_the_champion_of_the_registry(kizuna: Kizuna, own_shop: Path) -> None:
    before = content(own_shop / "state")
    ended = kizuna("-C", own_shop, "score")
    assert (ended.code, ended.refusal) == (
        5,
        "cannot score: no model has been promoted yet. Run `kizuna train` first, then `kizuna score`.",
    )
    assert content(own_shop / "state") == before

    project = CliContext(own_shop).project
    tracking = Tracking(project.settings.tracking_uri, own_shop)
    with tracking.run("test") as run:
        version = tracking.register(run, Bundle.load(own_shop / "bundle"))
    tracking.promote(version)
    said = json.loads(kizuna("-C", own_shop, "--json", "score", "--as-of", "2025-01-15").out)
    assert (said["as_of"], said["model_version"]) == ("2025-01-15", version)
    listed = json.loads(kizuna("-C", own_shop, "--json", "at-risk", "--limit", "5").out)
    assert (listed["as_of"], listed["model_version"]) == ("2025-01-15", version)
    assert len(listed["customers"]) == 5
    said = json.loads(kizuna("-C", own_shop, "--json", "score").out)
    assert said["as_of"] == "2025-02-04", "the first midnight after the newest event"

    bundle = next(iter((own_shop / "state" / "bundles").glob(f"{version}-*")))
    shutil.move(bundle / "tier.txt", bundle / "gone.txt")
    ended = kizuna("-C", own_shop, "at-risk")
    assert ended.code == 5
    assert ended.refusal.startswith(f"the bundle at {bundle} is damaged: tier.txt cannot be read.")


def test_a_bug_keeps_its_traceback_and_ends_with_1(scored_shop: Path) -> None:
    code = (
        "import serving.project.settings as s; s.read = lambda folder: 1 / 0\n"
        "from serving.cli.main import main; main()"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code, "-C", str(scored_shop), "ingest"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_too_little_history_says_which_dates_are_needed(kizuna: Kizuna, tmp_path: Path) -> None:
    folder = with_query(tmp_path, regular("2024-01-01", "3 hours", 200))
    assert kizuna("-C", folder, "ingest").code == 0
    before = content(folder / "state")
    ended = kizuna("-C", folder, "train")
    assert ended.code == 4
    assert ended.refusal.startswith("cannot train")
    assert "2024-0" in ended.refusal
    assert content(folder / "state") == before


def test_a_cohort_without_a_churner_cannot_teach(kizuna: Kizuna, tmp_path: Path) -> None:
    folder = with_query(tmp_path, regular("2023-01-01", "4 hours", 3000))
    assert kizuna("-C", folder, "ingest").code == 0
    ended = kizuna("-C", folder, "train")
    assert ended.code == 4
    assert ended.refusal.startswith("cannot train: none of the 30 customers who could leave between ")
