"""Messages in Japanese: every error that the product can raise is looked up."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product
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
from serving.actions.contact_rules import DEFAULT
from serving.actions.playbook import chosen_playbook, default_text, parse
from serving.actions.rules.attribute_validation import validate_attributes, validate_channels
from serving.cli.main import main
from serving.presentation.messages.catalog import parts, tables, translated
from serving.project.language import locale_language, message_language
from serving.project.settings import read

ROOT = Path(__file__).parents[3]
MARK = "\ue000"
"""Stands for an argument: it is in no text of ours."""
ENGLISH_WORDS = re.compile(r"[A-Za-z]+,? [a-z]+,? [a-z]+")
"""What is left of English in a message: three words in a row, outside of quoted commands and settings."""
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠〜]")


Names = Mapping[str, ast.expr]


def templates(node: ast.expr, names: Names) -> list[str]:
    """The texts that an expression can give, with a mark for each argument."""
    match node:
        case ast.Constant(str(text)):
            return [text]
        case ast.JoinedStr(values):
            return joined(values, names)
        case ast.FormattedValue(ast.Name(name), -1, None) if name in names:
            return templates(names[name], without(names, name))
        case ast.Name(name) if name in names:
            return templates(names[name], without(names, name))
        case ast.BinOp(left, ast.Add(), right):
            return joined([left, right], names)
        case ast.IfExp(_, body, orelse):
            return [*templates(body, names), *templates(orelse, names)]
        case ast.BoolOp(_, values):
            return [text for value in values for text in templates(value, names)]
    return [MARK]


def without(names: Names, name: str) -> Names:
    return {other: node for other, node in names.items() if other != name}


def joined(parts: Sequence[ast.expr], names: Names) -> list[str]:
    """The texts of several expressions one after the other."""
    return ["".join(one) for one in product(*(templates(part, names) for part in parts))]


def local_texts(function: ast.AST) -> Names:
    """The names that a function gives a text once."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    texts = (ast.JoinedStr, ast.IfExp, ast.BinOp, ast.Constant)
    return {
        name: nodes[0] for name, nodes in found.items() if len(nodes) == 1 and isinstance(nodes[0], texts)
    }


OURS = frozenset(
    name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, KizunaError)
)


def raised(classes: Collection[str] = OURS) -> Iterator[tuple[str, str]]:
    """Each message that is given to an error of these classes, with the place where it is made."""
    for room in ("features", "training", "serving"):
        for file in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            functions = [
                one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            constants = {
                one.targets[0].id: one.value
                for one in tree.body
                if isinstance(one, ast.Assign)
                and isinstance(one.targets[0], ast.Name)
                and isinstance(one.value, ast.Constant)
                and isinstance(one.value.value, str)
            }
            for function in functions or [tree]:
                names = constants | dict(local_texts(function))
                for node in ast.walk(function):
                    if not (isinstance(node, ast.Call) and node.args):
                        continue
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if name in classes or (name == "__init__" and file.name == "errors.py"):
                        for text in templates(node.args[0], names):
                            if JAPANESE.search(text) is None and text.strip(MARK + " ."):
                                yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def refusals_of_playbooks() -> Iterator[tuple[str, str]]:
    """What is said of a place of a playbook, with where it is said."""
    for file in sorted((ROOT / "serving" / "actions").rglob("*.py")):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            names = {"DEFAULT": ast.Constant(DEFAULT), **local_texts(function)}
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "refusal":
                    for text in templates(node.args[1], names):
                        yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def english_left(text: str) -> bool:
    """Whether a message, said in Japanese, still holds English."""
    japanese = translated(text, "ja")
    return japanese == text or ENGLISH_WORDS.search(re.sub("`[^`]*`", "", japanese)) is not None


def test_every_error_that_can_be_raised_is_said_in_japanese() -> None:
    english = [f"{place}: {text.replace(MARK, '…')}" for place, text in raised() if english_left(text)]
    assert not english, (
        "these have no Japanese yet; add it to serving/presentation/messages/ja.toml:\n" + "\n".join(english)
    )


def test_every_reason_why_a_setting_does_not_fit_is_said_in_japanese() -> None:
    """What validators of settings and playbooks raise becomes the end of a message."""
    whole = "cannot use kizuna.toml: `{}` does not fit: {}."
    reasons = [(place, text) for place, text in raised({"ValueError"}) if text[0].islower()]
    english = [f"{place}: {text}" for place, text in reasons if english_left(whole.format("key", text))]
    assert len(reasons) > 15
    assert not english, "\n".join(english)


def test_every_refusal_of_a_rule_is_said_in_japanese() -> None:
    said = list(refusals_of_playbooks())
    assert len(said) > 12
    assert [f"{place}: {text.replace(MARK, '…')}" for place, text in said if english_left(text)] == []


def steps() -> Iterator[tuple[str, str]]:
    """What each long work says that it is doing, with the place where it is said."""
    for room in ("features", "training", "serving"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                name = (
                    getattr(node.func, "id", getattr(node.func, "attr", ""))
                    if isinstance(node, ast.Call)
                    else ""
                )
                place = {"progress": 0, "map_partitions": 2}.get(name, 99)
                if isinstance(node, ast.Call) and len(node.args) > place:
                    for text in templates(node.args[place], {}):
                        if text.strip(MARK + " ."):
                            yield f"{file.relative_to(ROOT)}:{node.lineno}", text


def test_every_step_of_long_work_is_said_in_japanese() -> None:
    said = list(steps())
    assert len(said) > 12
    assert [f"{place}: {text}" for place, text in said if translated(text, "ja") == text] == []


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
