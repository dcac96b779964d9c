"""The same rows, scores, plans and reports from the workers of a cluster as from this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from features.errors import ClusterError, UsageError
from features.execution.dask import DaskEngine, open_engine
from features.execution.local import HERE
from serving.application.campaigns.report import campaign_report
from serving.application.cluster import on_cluster
from serving.application.data.feature_export import export_features
from serving.application.data.ingest import ingest
from serving.application.lists.make_plan import make_plan
from serving.application.lists.report import engagement_report
from serving.application.permissions import COMMAND_LINE
from serving.application.workspace import Workspace, open_workspace
from serving.cli.context import CliContext
from serving.cli.main import main
from serving.jobs.kinds import KINDS
from serving.jobs.process import ON_CLUSTER
from serving.reports.rendering.csv import as_csv
from serving.reports.report import reply
from serving.schemas.json_text import to_json
from serving.scoring.batch import score
from serving.state.active_model import in_use
from serving.state.scores.score_file import save
from tests.serving import shop
from tests.serving.campaign_shop import NOW, at
from tests.serving.shop import DATES


@pytest.fixture(scope="module")
def engine() -> Iterator[DaskEngine]:
    with open_engine("local:2") as opened:
        yield opened


@pytest.fixture(scope="module")
def here(started_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The shop with a campaign, worked on by this process."""
    folder = Path(shutil.copytree(started_template, tmp_path_factory.mktemp("cluster") / "shop"))
    project = CliContext(folder).project
    place = at(open_workspace(project, lambda: 0), NOW)
    with place.database:
        yield place


@pytest.fixture
def there(here: Workspace, engine: DaskEngine) -> Workspace:
    """The same shop, worked on by two other processes."""
    engine.used.clear()
    return replace(here, engine=engine)


def buckets(place: Workspace) -> int:
    """How many buckets other processes have done."""
    assert isinstance(place.engine, DaskEngine)
    return sum(use.buckets for use in place.engine.used.values())


def test_rows_of_features_are_the_same_to_the_bit(here: Workspace, there: Workspace) -> None:
    expected = export_features(here, COMMAND_LINE, DATES[-1]).table
    found = export_features(there, COMMAND_LINE, DATES[-1]).table
    assert ipc(found) == ipc(expected)
    assert expected.num_rows > 100
    assert buckets(there) >= 2 * len(here.store.buckets), "the priors are learned there, and the rows made"


def ipc(table: pa.Table) -> bytes:
    """The bytes of a table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def test_a_score_file_is_the_same_to_the_bit(here: Workspace, there: Workspace, tmp_path: Path) -> None:
    champion = in_use(here.database, here.project.state)
    as_of, files = here.project.timeline.instant(DATES[-1]), []
    for number, place in enumerate((here, there)):
        answers, facts = score(here.store, champion, as_of, 0, engine=place.engine)
        folder = tmp_path / str(number)
        files.append((folder / save(folder, answers, facts)).read_bytes())
    assert files[0] == files[1]
    assert buckets(there) == len(here.store.buckets)


@pytest.mark.parametrize("months", [3, 12])
def test_a_report_is_the_same(here: Workspace, there: Workspace, months: int) -> None:
    for language in ("en", "ja"):
        expected = reply(engagement_report(here, COMMAND_LINE, months), language)
        found = reply(engagement_report(there, COMMAND_LINE, months), language)
        assert to_json(found) == to_json(expected)
        assert as_csv(found, language) == as_csv(expected, language)
    assert buckets(there) == 6 * len(here.store.buckets)


def test_a_plan_is_the_same(here: Workspace, there: Workspace) -> None:
    expected = make_plan(here, COMMAND_LINE)
    found = make_plan(there, COMMAND_LINE)
    assert ipc(found.plan.table) == ipc(expected.plan.table)
    assert found.rows.tolist() == expected.rows.tolist()
    assert buckets(there) == 3 * len(here.store.buckets), "consent, answer times and profiles"


def test_the_report_of_a_campaign_is_the_same(here: Workspace, there: Workspace) -> None:
    expected = campaign_report(here, COMMAND_LINE, "spring")
    assert to_json(campaign_report(there, COMMAND_LINE, "spring")) == to_json(expected)
    assert buckets(there) == 3 * len(here.store.buckets), "coverage, outcomes and consent"


def test_the_engine_is_that_of_the_option_else_of_the_settings_else_this_process(here: Workspace) -> None:
    settings = here.project.settings
    cluster = settings.cluster.model_copy(update={"address": "nowhere"})
    configured = replace(
        here, project=replace(here.project, settings=settings.model_copy(update={"cluster": cluster}))
    )
    with on_cluster(here) as place:
        assert place.engine is HERE
    with on_cluster(configured, "none") as place:
        assert place.engine is HERE
    with pytest.raises(UsageError, match="cannot use the cluster 'nowhere'"), on_cluster(configured):
        pass
    with pytest.raises(UsageError, match="cannot use the cluster 'elsewhere'"), on_cluster(here, "elsewhere"):
        pass


def test_the_command_line_starts_and_stops_workers_of_its_own(
    here: Workspace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = []
    for cluster in ("none", "local:2"):
        output = tmp_path / f"{cluster[:4]}.parquet"
        words = ["features", "--as-of", DATES[-1], "--output", str(output), "--cluster", cluster]
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(here.project.folder), *words])
        assert not ended.value.code
        files.append(output.read_bytes())
    assert files[0] == files[1]
    shown = capfd.readouterr()
    assert shown.out.count(" × ") == 2
    assert "distributed" not in shown.err, "Dask's own lines are not for users"


def test_the_command_line_writes_a_folder_of_the_same_bytes_by_workers_of_its_own(
    here: Workspace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = []
    for cluster in ("none", "local:2"):
        output = tmp_path / "2025.01" if cluster == "none" else tmp_path / "features"
        words = ["features", "--as-of", DATES[-1], "--output", f"{output}/", "--cluster", cluster]
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(here.project.folder), "--json", *words])
        assert not ended.value.code
        answer = json.loads(capfd.readouterr().out)
        assert answer["folder"] == str(output)
        assert answer["files"] == sorted(file.name for file in output.iterdir())
        written.append([(output / name).read_bytes() for name in answer["files"]])
    assert written[0] == written[1]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["2025.01", "features"]


def test_a_cluster_that_is_away_leaves_the_output_as_it_was(
    here: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("features.execution.dask.CONNECT_SECONDS", 0.5)
    output = tmp_path / "features.parquet"
    output.write_bytes(b"before")
    words = ["features", "--as-of", DATES[-1], "--output", str(output), "--cluster", "tcp://127.0.0.1:1"]
    with pytest.raises(SystemExit) as ended:
        main(["-C", str(here.project.folder), *words])
    assert ended.value.code == ClusterError.exit_code
    assert capsys.readouterr().err.startswith("cannot reach a Dask scheduler at tcp://127.0.0.1:1: ")
    assert output.read_bytes() == b"before"


def test_an_ingest_by_the_command_line_has_its_buckets_merged_by_workers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    versions = []
    for cluster in ("none", "local:2"):
        folder = tmp_path / cluster.replace(":", "")
        folder.mkdir()
        shop.lay_out(folder)
        for _ in range(2):
            with pytest.raises(SystemExit) as ended:
                main(["-C", str(folder), "--json", "ingest", "--cluster", cluster])
            assert not ended.value.code
            versions.append(json.loads(capfd.readouterr().out))
    assert versions[:2] == versions[2:]
    assert versions[0]["data_version"] == versions[1]["data_version"]


def test_a_new_store_has_as_many_buckets_as_the_settings_say(tmp_path: Path) -> None:
    shop.lay_out(tmp_path)
    toml = tmp_path / "kizuna.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "\n[cluster]\nbuckets = 64\n", encoding="utf-8")
    with CliContext(tmp_path).workspace() as place:
        ingest(place, COMMAND_LINE)
    toml.write_text(toml.read_text(encoding="utf-8").replace("64", "8"), encoding="utf-8")
    with CliContext(tmp_path).workspace() as place:
        ingest(place, COMMAND_LINE)
        assert place.store.buckets == tuple(range(64)), "a store that is there keeps its number"
        assert {key % 64 for key in place.store.history(5).keys.tolist()} == {5}


def test_jobs_on_a_cluster_are_kinds_that_there_are() -> None:
    assert set(ON_CLUSTER) <= set(KINDS)
