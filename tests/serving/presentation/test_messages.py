"""Messages in Japanese: every error that the product can raise is looked up."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from features import errors
from features.errors import (
    ConfigurationError,
    DamagedFile,
    DataError,
    HorizonNotCovered,
    KizunaError,
    UnknownCustomer,
)
from features.events.consent import ConsentEntry
from serving.actions.attribute_validation import validate_attributes, validate_channels
from serving.actions.playbook import chosen_playbook, default_text, parse
from serving.cli.main import main
from serving.presentation.messages.catalog import parts, tables, translated
from serving.project.language import locale_language, message_language
from serving.project.settings import read

ROOT = Path(__file__).parents[3]
MARK = "\ue000"
"""Stands for an argument: it is in no text of ours."""
STILL_ENGLISH = 60
"""Messages without Japanese: lower it when one is translated. Those of the HTTP service are not counted."""

JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠〜]")


def templates(node: ast.expr) -> str:
    """The text of a message with a mark for each argument."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(templates(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return templates(node.left) + templates(node.right)
    return MARK


def raised() -> Iterator[tuple[str, str]]:
    """Each message that is given to an error, with the place where it is made."""
    names = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, KizunaError)
    }
    for room in ("features", "training", "serving"):
        for file in sorted((ROOT / room).rglob("*.py")):
            if "serving/api/" in file.as_posix():
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and node.args):
                    continue
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in names or (name == "__init__" and file.name == "errors.py"):
                    text = templates(node.args[0])
                    if JAPANESE.search(text) is None and text.strip(MARK + " ."):
                        yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def test_messages_without_japanese_grow_fewer() -> None:
    english = [
        f"{place}: {text.replace(MARK, '…')}" for place, text in raised() if translated(text, "ja") == text
    ]
    assert len(english) <= STILL_ENGLISH, (
        "these have no Japanese yet; add it to serving/presentation/messages/ja.toml:\n" + "\n".join(english)
    )


def test_no_template_is_translated_twice() -> None:
    keys = Counter(
        MARK.join(literal for literal, _ in parts(english))
        for table in tables().values()
        for english in table
    )
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_template_says_the_same_arguments_in_both_languages() -> None:
    for table in tables().values():
        for english, japanese in table.items():
            names, ours = ({name for _, name in parts(text) if name} for text in (english, japanese))
            assert ours <= names, english


@pytest.mark.parametrize(
    ("error", "japanese"),
    [
        (
            UnknownCustomer("01332"),
            "顧客「01332」については答えられません：この顧客のイベントは一度も取り込まれていません。"
            "顧客IDを確認するか、新しい顧客なら `kizuna ingest` を実行してください。",
        ),
        (
            HorizonNotCovered("2017-11-15", 60, "2018-01-14", "2018-01-01", "2017-11-02"),
            "2017-11-15時点のラベルは付けられません：離反は60日後に決まるため2018-01-14までのイベントが必要ですが、"
            "2018-01-01までしかありません。ラベルを付けられる最後の日は2017-11-02です。",
        ),
        (
            DamagedFile("part-0.parquet", "too short"),
            "イベントを読めません：保存ファイル part-0.parquet が壊れています（too short）。そのファイルか "
            "state フォルダをバックアップから戻すか、state フォルダを移動してから `kizuna ingest` で"
            "取り込み直してください。",
        ),
    ],
)
def test_an_error_is_said_in_japanese_with_its_arguments(error: DataError, japanese: str) -> None:
    assert translated(error.message, "ja") == japanese
    assert translated(error.message, "en") == error.message


def test_a_phrase_within_a_message_is_translated_too() -> None:
    text = "cannot use kizuna.toml: there is no key `churn.horizon`. Write `horizon_days` instead."
    assert translated(text, "ja") == (
        "kizuna.toml を使えません：`churn.horizon` というキーはありません。`horizon_days` と書いてください。"
    )


def test_an_attribute_that_consent_or_a_playbook_names_and_nobody_has_is_said_in_japanese() -> None:
    entry = ConsentEntry(attribute="optuot", says="must_not_contact", channels=("emial",))
    with pytest.raises(ConfigurationError) as attribute:
        validate_attributes(chosen_playbook(Path("nowhere")), [entry], ["optout", "region"])
    assert translated(attribute.value.message, "ja") == (
        "プランを作れません：kizuna.toml の `consent[1].attribute` が「optuot」ですが、"
        "この属性を持つ顧客がいません。"
        "属性は optout, region です。「optout」と書いてください。"
    )
    with pytest.raises(ConfigurationError) as channel:
        validate_channels([entry], ["web"])
    assert translated(channel.value.message, "ja").startswith(
        "プランを作れません：kizuna.toml の `consent[1].channels` の「emial」というチャネルはありません。"
    )
    text = default_text().replace('do_not_contact = "do_not_contact"', 'do_not_contact = "club"')
    with pytest.raises(ConfigurationError) as book:
        validate_attributes(parse(text, "playbook.toml"), [], ["region"])
    assert (
        "行目が使えません：`do_not_contact` の「club」を持つ顧客がいません。属性は region です。どれかを"
        in (translated(book.value.message, "ja"))
    )


def test_what_has_no_japanese_stays_english() -> None:
    assert translated("something new happened", "ja") == "something new happened"


def test_the_language_of_messages_is_read_from_a_file_that_is_otherwise_wrong(tmp_path: Path) -> None:
    (tmp_path / "kizuna.toml").write_text('language = "ja"\n[churn\n', encoding="utf-8")
    assert message_language(tmp_path, {}) == "ja"
    assert message_language(tmp_path / "nothing", {"LANG": "ja_JP.UTF-8"}) == "ja"
    assert message_language(tmp_path / "nothing", {"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}) == "en"
    assert locale_language({}) == "en"


def test_init_writes_japanese_comments_that_are_valid_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["-C", str(tmp_path), "init", "--language", "ja"])
    assert end.value.code == 0
    assert "書き出しました" in capsys.readouterr().out
    settings = read(tmp_path).settings
    assert (settings.language, settings.timezone) == ("ja", "Asia/Tokyo")
    with pytest.raises(SystemExit) as end:
        main(["-C", str(tmp_path), "ingest"])
    assert end.value.code == 3
    assert "ソース「受注」のクエリを実行できません" in capsys.readouterr().err
