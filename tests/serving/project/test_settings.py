"""kizuna.toml: what it may say, and what is said when it says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.project.settings import read
from serving.project.template import template, write


def project(folder: Path, text: str) -> Path:
    (folder / "kizuna.toml").write_text(text, encoding="utf-8")
    return folder


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read(project(folder, text))
    return str(refused.value).replace(str(folder), "FOLDER")


def test_an_empty_file_is_a_project_with_the_defaults(tmp_path: Path) -> None:
    found = read(project(tmp_path, ""))
    settings = found.settings
    assert (settings.timezone, settings.language, settings.capacity.contacts) == ("UTC", "en", 500)
    assert settings.tiers.names == ("dormant", "cooling", "casual", "engaged", "devoted")
    assert found.state == tmp_path / "state"


EXAMPLES = ["complaints_60d", "web_share_90d", "basket_90d"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_examples_of_own_features_in_the_template_can_be_used_as_they_are(
    tmp_path: Path, language: str
) -> None:
    lines = template(language).splitlines()
    begin = lines.index("# [[features.add]]")
    end = next(at for at in range(begin, len(lines)) if not lines[at])
    own = [line.removeprefix("# ") for line in lines[begin:end] if line.isascii() or "japanese" in line]
    text = "\n".join(line for line in own if not line.endswith(":"))
    found = read(project(tmp_path, text))
    assert [entry.name for entry in found.settings.features.add] == EXAMPLES


def test_the_page_on_own_features_shows_entries_that_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "own-features.md").read_text(encoding="utf-8")
    block = page.split("```toml\n")[1].split("```")[0]
    found = read(project(tmp_path, block))
    assert [entry.name for entry in found.settings.features.add] == EXAMPLES


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_file_that_init_writes_can_be_read(tmp_path: Path, language: str) -> None:
    write(tmp_path / "new", "kizuna.toml", template(language))
    assert read(tmp_path / "new").settings.churn.horizon_days == 60


def test_every_commented_default_of_the_template_is_the_default(tmp_path: Path) -> None:
    written = template("en")
    plain = {"timezone", "language", "state", "tracking_uri", "windows", "names", "lead_days"}
    lines = [line.removeprefix("# ") for line in written.splitlines()]
    shown = dict(line.split(" = ", 1) for line in lines if line.split(" = ")[0] in plain)
    assert shown.keys() == plain
    tables = {"windows": "features", "names": "tiers", "lead_days": "churn"}
    text = "".join(
        f"[{tables[key]}]\n{key} = {value}\n" if key in tables else f"{key} = {value}\n"
        for key, value in sorted(shown.items(), key=lambda item: item[0] in tables)
    )
    assert read(project(tmp_path, text)).settings == read(project(tmp_path, "")).settings


def test_init_leaves_a_file_that_is_there_alone(tmp_path: Path) -> None:
    project(tmp_path, "language = 'ja'")
    with pytest.raises(ConfigurationError) as refused:
        write(tmp_path, "kizuna.toml", template("en"))
    assert str(refused.value) == (
        f"cannot write {tmp_path / 'kizuna.toml'}: it is there already. "
        "Edit it, or name another folder: `kizuna init FOLDER`."
    )
    assert (tmp_path / "kizuna.toml").read_text() == "language = 'ja'"


def test_names_in_braces_are_read_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_STATE", "elsewhere")
    found = read(project(tmp_path, 'state = "${SHOP_STATE}/state"'))
    assert found.state == tmp_path / "elsewhere" / "state"


def test_a_state_in_an_object_store_has_a_folder_of_copies_of_its_own(tmp_path: Path) -> None:
    records = 'records = "postgresql://kizuna@localhost/shop"\n'
    found = read(project(tmp_path, f'state = "s3://bucket/shop/"\n{records}'))
    assert found.state_url == "s3://bucket/shop"
    assert found.state.parent == tmp_path / "state-copies"
    other = read(project(tmp_path, f'state = "s3://bucket/other"\n{records}'))
    assert other.state != found.state
    assert read(project(tmp_path, f'state = "file://{tmp_path}/there"')).state == tmp_path / "there"


def test_without_a_file_it_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path)
    assert str(refused.value) == (
        f"cannot open a project in {tmp_path}: there is no kizuna.toml there. Run `kizuna init` to write "
        "one, or name the folder that holds it with `kizuna -C FOLDER`."
    )


TOML = "cannot use FOLDER/kizuna.toml: "


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('timezon = "UTC"', f"{TOML}there is no key `timezon`. Write `timezone` instead."),
        (
            "[churn]\nhorizon_day = 3",
            f"{TOML}there is no key `churn.horizon_day`. Write `horizon_days` instead.",
        ),
        (
            '[[sources]]\nname = "a"\nqery = "select 1"',
            f"{TOML}there is no key `sources[1].qery`. Write `query` instead.",
        ),
        (
            '[indicators.purchase]\nkind = ["buy"]',
            f"{TOML}there is no key `indicators.purchase.kind`. Write `kinds` instead.",
        ),
        (
            "[cluster]\nbuckets = 20",
            f"{TOML}`cluster.buckets` cannot be 20: write a power of two from 1 to 4096, such as 64.",
        ),
        (
            "[zork]",
            f"{TOML}there is no key `zork`. The keys there are timezone, language, currency, state, "
            "state_copies, tracking_uri, sources, attributes, aliases, consent, surveys, indicators, names, "
            "features, churn, tiers, value, capacity, campaigns, records, crm, webhooks, simulated, "
            "schedule, service, console, cluster.",
        ),
        (
            '[[sources]]\nname = "a"',
            f"{TOML}the key `sources[1].query` is missing. Add a line `query = …`.",
        ),
        ('language = "fr"', f"{TOML}`language` cannot be \"fr\": write 'en' or 'ja'."),
        ("sources = 3", f"{TOML}`sources` cannot be 3: write a list."),
        (
            "[capacity]\ncontacts = 0",
            f"{TOML}`capacity.contacts` cannot be 0: write greater than or equal to 1.",
        ),
        (
            'timezone = "Mars"',
            f"{TOML}cannot use the time zone 'Mars': no zone has that name. "
            'Write an IANA name such as "Asia/Tokyo" or "UTC".',
        ),
        (
            'state = "${KIZUNA_NOT_SET}"',
            f"{TOML}it refers to ${{KIZUNA_NOT_SET}}, but the environment has no variable KIZUNA_NOT_SET. "
            "Set it, for example with `export KIZUNA_NOT_SET=…`.",
        ),
        (
            '[[sources]]\nname = "a"\nquery = "x"\n[[sources]]\nname = "a"\nquery = "y"',
            f'{TOML}`sources[2].name` is "a", which an earlier one has already. Give it a name of its own.',
        ),
        (
            'state = "s3://bucket/shop"',
            f"{TOML}`state` lies in an object store, which knows no locks, so that `records` must be a "
            'PostgreSQL database: write `records = "postgresql://user@host/name"`.',
        ),
        (
            'state = "ftp://host/shop"',
            f"{TOML}`state` is ftp://host/shop, and 'ftp' is no kind of storage. Write a folder, or a URL "
            "that begins with s3://, gs:// or az://.",
        ),
        (
            "a =",
            "cannot read FOLDER/kizuna.toml: it is not valid TOML (Invalid value (at end of document)). "
            "Put that place right.",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_key_and_what_to_write(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert refusal(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("written", "share"), [('"2%"', 0.02), ("0.05", 0.05), ('"１０％"', 0.1), ("1", 1.0)]
)
def test_a_share_is_written_in_per_cent_or_as_a_number(tmp_path: Path, written: str, share: float) -> None:
    (tmp_path / "kizuna.toml").write_text(f"[campaigns]\nglobal_control = {written}\n", encoding="utf-8")
    assert read(tmp_path).settings.campaigns.global_control == pytest.approx(share)


@pytest.mark.parametrize("written", ['"many"', "1.5", '"120%"', "-0.1", "true"])
def test_what_is_no_share_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "kizuna.toml").write_text(f"[campaigns]\ncontrol = {written}\n", encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"`campaigns.control` cannot be .*: write a share such as 10%"
    ):
        read(tmp_path)
