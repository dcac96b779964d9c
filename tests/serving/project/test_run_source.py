"""What a training run keeps of the project's files: SQL as written, without secrets, and the git commit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from serving.project.git_state import git_state
from serving.project.run_source import _SECRETS, run_source, without_secrets
from serving.project.settings import read

TOML = """
[[sources]]
name = "orders & returns"
connection = "postgresql://reader:hunter2@db/shop"
query = "select * from orders where region = '${REGION}'"

[[attributes]]
name = "plan"
query = "select customer as customer_id, since as known_at, plan as value from read_csv('plans.csv')"

[[aliases]]
query = "select old_id, new_id from read_csv('aliases.csv')"
"""


def _git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGION", "north")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    project = tmp_path / "project"
    project.mkdir()
    (project / "kizuna.toml").write_text(TOML, encoding="utf-8")
    return project


def test_queries_are_kept_as_they_are_written_and_connections_are_not(folder: Path) -> None:
    found = run_source(read(folder))
    assert sorted(found.texts) == ["aliases/1.sql", "attributes/plan.sql", "sources/orders_returns.sql"]
    assert found.texts["sources/orders_returns.sql"] == "select * from orders where region = '${REGION}'\n"
    assert "hunter2" not in str(found.texts)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (
            "attach 'host=db password=hunter2 dbname=x' as shop (type postgres)",
            "attach 'host=db password=*** dbname=x' as shop (type postgres)",
        ),
        (
            "create secret (type s3, key_id 'AKIA', secret 'abc')",
            "create secret (type s3, key_id '***', secret '***')",
        ),
        ("read_csv('https://me:pw@host/a.csv')", "read_csv('https://me:***@host/a.csv')"),
        ("attach 'password=${PASSWORD}'", "attach 'password=${PASSWORD}'"),
        ("select token, secret as value from t", "select token, secret as value from t"),
        ("set s3_secret_access_key='abc'", "set s3_secret_access_key='***'"),
        ("set s3_session_token to 'abc'", "set s3_session_token to '***'"),
        ("set s3_access_key_id = $$abc$$", "set s3_access_key_id = $$***$$"),
        ("(type azure, connection_string 'AccountKey=abc==')", "(type azure, connection_string '***')"),
        ("read_csv('az://c/a.csv?sv=1&sig=abc%3D')", "read_csv('az://c/a.csv?sv=1&sig=***')"),
        (
            "'https://h/a?X-Amz-Credential=a/b&X-Amz-Signature=abc'",
            "'https://h/a?X-Amz-Credential=***&X-Amz-Signature=***'",
        ),
        ("map {'Authorization': 'Bearer abc.def'}", "map {'Authorization': '***'}"),
        ("'header=Bearer abc.def'", "'header=Bearer ***'"),
        ("secret 'it''s hidden', x", "secret '***', x"),
        ("""{"password": "p p"}""", """{"password": "***"}"""),
        ("map {'password': 'p p'}", "map {'password': '***'}"),
        ("attach 'host=db password=''p p'' dbname=x'", "attach 'host=db password=''***'' dbname=x'"),
        ("'https://h/a?access_token=abc&page=1'", "'https://h/a?access_token=***&page=1'"),
        ("'postgres://me:p/w@host/db'", "'postgres://me:***@host/db'"),
        ("password 'a${PASSWORD}'", "password '***'"),
        (f"set {'shop.' * 40}password = 'abc'", f"set {'shop.' * 40}password = '***'"),
        ("password     'abc'", "password     '***'"),
        ("(.secret := 'abc', -token 'def')", "(.secret := '***', -token '***')"),
        (
            "select secretary, tokens from t where kind = 'x'",
            "select secretary, tokens from t where kind = 'x'",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(query: str, kept: str) -> None:
    assert without_secrets(query) == kept


@pytest.mark.parametrize("text", ["a.b-" * 20 + "password='x'", "a.b-" * 20 + "https://me:pw@host"])
def test_a_search_for_secrets_reads_a_long_name_once(text: str) -> None:
    begins = [at for at in range(len(text)) for pattern in _SECRETS if pattern.match(text, at)]
    assert begins
    assert set(begins) == {0}, "so the steps grow as the length, not as its square"


def test_queries_whose_names_differ_in_signs_alone_are_both_kept(folder: Path) -> None:
    more = TOML.replace(
        "[[attributes]]", TOML.split("[[attributes]]")[0].replace("& returns", "returns") + "[[attributes]]"
    )
    (folder / "kizuna.toml").write_text(more.replace("region = ", "area = ", 1), encoding="utf-8")
    found = run_source(read(folder)).texts
    assert [name for name in sorted(found) if name.startswith("sources/")] == [
        "sources/orders_returns.sql",
        "sources/orders_returns_2.sql",
    ]


def test_the_commit_and_uncommitted_changes_of_the_project_folder_are_tags(folder: Path) -> None:
    repository = folder.parent
    _git(repository, "init", "-q")
    assert git_state(folder) is None  # no commit yet
    (repository / "other.txt").write_text("1", encoding="utf-8")
    _git(repository, "add", "other.txt")
    _git(repository, "commit", "-qm", "one")
    untracked = git_state(folder)
    assert untracked is not None
    assert untracked.uncommitted_changes  # kizuna.toml is in no commit
    _git(repository, "add", "project/kizuna.toml")
    _git(repository, "commit", "-qm", "two")
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.write_text("#!/bin/sh\ntouch hooked\n", encoding="utf-8")
    hook.chmod(0o755)
    (repository / "other.txt").write_text("2", encoding="utf-8")  # outside the project folder
    (folder / "state").mkdir()
    (folder / "state" / "new").write_text("x", encoding="utf-8")
    commit = _git(repository, "rev-parse", "HEAD")
    tags = run_source(read(folder)).tags
    assert tags == {
        "mlflow.source.git.commit": commit,
        "git_commit": commit,
        "git_uncommitted_changes": "false",
    }
    (folder / "kizuna.toml").write_text(TOML + "\n", encoding="utf-8")
    assert run_source(read(folder)).tags["git_uncommitted_changes"] == "true"
    assert not [*repository.rglob("hooked")]


def test_without_a_repository_or_without_git_nothing_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_source(read(folder)).tags == {}
    shutil.rmtree(folder.parent / ".git", ignore_errors=True)
    monkeypatch.setenv("PATH", str(folder))
    assert git_state(folder) is None
