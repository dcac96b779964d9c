"""What is said of a wrong playbook: every kind of fault, in both languages, with a right value."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serving.actions.playbook import DEFAULTS, Playbook, default_text, parse_all
from serving.actions.rules.likely_values import likely_condition
from serving.actions.rules.shape_faults import example, explained, field_of, toml_of
from serving.actions.rules.toml_faults import ADVICE
from serving.cli.main import main
from serving.presentation.messages.catalog import translated
from serving.schemas.problems import problems
from tests.serving.actions.test_playbook import FIRST, HEAD, rule

Fault = tuple[str, str, object, tuple[str | int, ...]]
"""Kind, words, value and place."""
WORDS = {"en": "call", "ja": "電話"}
LEVEL = {"name": "silver", "purchases": 1, "amount": 1.0, **WORDS}
WHOLE: dict[str, object] = {
    "stages": {},
    "touch": {"high": {**WORDS, "kinds": ["call_made"]}},
    "actions": {"call": dict(WORDS)},
    "owners": {"crm": dict(WORDS)},
    "hold_back": {"quiet": dict(WORDS)},
    "rules": [
        {
            "name": "a",
            "when": {"tier": ["low"]},
            "touch": "high",
            "action": "call",
            "channel": "phone",
            "owner": "crm",
            "deadline_days": 3,
        },
        {"name": "b", "hold_back": "quiet"},
    ],
    "loyalty": [
        {
            "name": "p",
            "window_days": 9,
            "levels": [LEVEL],
            "members": {"attribute": "club", "value": "x"},
        }
    ],
}
"""A right playbook with an entry of every kind."""
FAULT_KINDS = {
    *("extra_forbidden", "missing", "too_short", "string_too_short", "value_error"),
    *("int_type", "int_parsing", "int_parsing_size", "int_from_float"),
    *("float_type", "float_parsing", "finite_number", "greater_than_equal", "less_than_equal"),
    *("bool_type", "bool_parsing", "string_type", "tuple_type", "dict_type", "model_type"),
}
"""The kinds of fault that pydantic can find in a playbook and shape_faults.py has sentences for."""
WRONG: tuple[object, ...] = (
    *("", "x", "５日", "9" * 5000, 3, -2, 1.5, 10**30, float("inf"), float("nan"), True),
    *([], [1], ["x"], {}, {"x": 1}, date(2024, 1, 1)),
)
"""Values of which at least one is wrong for every field."""
KINDS: Mapping[str, set[str]] = {
    "model": {"model_type"},
    "model-fields": {"extra_forbidden"},
    "model-field": set(),
    "default": set(),
    "nullable": set(),
    "definitions": set(),
    "definition-ref": set(),
    "str": {"string_type"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float", "finite_number"},
    "float": {"float_type", "float_parsing"},
    "bool": {"bool_type", "bool_parsing"},
    "tuple": {"tuple_type"},
    "dict": {"dict_type"},
    "function-plain": {"value_error"},
    "function-after": {"value_error"},
    "function-before": {"value_error"},
}
"""The errors that each type of pydantic's schema can raise, without limits."""
LIMITS = {"ge": "greater_than_equal", "le": "less_than_equal"}
OTHERS = {
    *(
        "type",
        "schema",
        "fields",
        "items_schema",
        "keys_schema",
        "values_schema",
        "definitions",
        "cls",
        "ref",
    ),
    *("config", "metadata", "serialization", "default", "default_factory", "function", "variadic_item_index"),
    *("model_name", "extra_behavior", "computed_fields", "custom_init", "root_model", "schema_ref", "frozen"),
    *("default_factory_takes_data", "mode", "generic_origin", "validate_default", "info_arg", "post_init"),
    *("strict", "validation_alias", "serialization_alias", "frozen_field", "serialization_exclude"),
}
"""What a schema holds besides limits."""


def raisable(node: object) -> Iterator[str]:
    """Every kind of error that a schema can raise; fails for a part that nobody has thought of."""
    if isinstance(node, list | tuple):
        for one in node:
            yield from raisable(one)
    if not isinstance(node, dict):
        return
    if "type" not in node:
        for one in node.values():
            yield from raisable(one)
        return
    kind = node["type"]
    yield from KINDS[kind]
    if kind == "model-field" and node["schema"]["type"] != "default":
        yield "missing"
    for name, value in node.items():
        if name in LIMITS:
            yield LIMITS[name]
        elif name == "min_length":
            yield "string_too_short" if kind == "str" else "too_short"
        else:
            assert name in OTHERS, f"a new limit, `{name}`, of {kind}: what is said where it does not hold?"
            if name not in ("metadata", "config", "default", "serialization", "cls", "function"):
                yield from raisable(value)
    if "function" in node:
        yield from raisable(node.get("schema"))


def places(values: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a playbook, also of keys that are left out."""
    if path and isinstance(path[-1], str):
        yield path
    if isinstance(values, list):
        for number, one in enumerate(values):
            yield from places(one, (*path, number))
    elif isinstance(values, dict):
        _, shape = field_of(path, Playbook) if path else (None, Playbook)
        keys = getattr(shape, "model_fields", values)
        for name in keys:
            yield from places(values.get(name), (*path, name))
    elif path and hasattr(field_of(path, Playbook)[1], "model_fields"):
        yield from places({}, path)


def changed(path: tuple[str | int, ...], value: object, *, remove: bool = False) -> dict[str, object]:
    """The right playbook with another value at a place, or without it."""
    values = deepcopy(WHOLE)
    at: Any = values
    for part in path[:-1]:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    if remove:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = value
    return values


def faults(values: object) -> list[Fault]:
    """Kind, words, value and place of all that is wrong."""
    try:
        Playbook.model_validate(values)
    except ValidationError as error:
        return [(one.kind, explained(one, Playbook), one.value, one.location) for one in problems(error)]
    return []


def all_faults() -> Iterator[Fault]:
    for path in places(WHOLE):
        yield from faults(changed(path, None, remove=True))
        for value in WRONG:
            yield from faults(changed(path, value))
        yield from faults(changed((*path[:-1], f"{path[-1]}x"), 1))
    yield from faults(changed(("rules", 0, "hold_back"), "quiet"))
    falling = [LEVEL, {**LEVEL, "amount": 0.5}]
    yield from faults(changed(("loyalty", 0, "levels"), falling))


@pytest.fixture(scope="module")
def found() -> list[Fault]:
    """All faults, each sentence once."""
    return list({one[1]: one for one in all_faults()}.values())


def is_japanese(message: str) -> bool:
    """Whether nothing English is left outside of what is quoted from the file."""
    return re.search(r"[A-Za-z]{2,}", re.sub(r"`[^`]*`|「[^」]*」", "", message)) is None


def test_every_kind_of_fault_that_the_fields_can_raise_has_its_sentence(found: list[Fault]) -> None:
    possible = set(raisable(Playbook.__pydantic_core_schema__))
    assert possible <= FAULT_KINDS, "a new kind of fault: say it in shape_faults.py"
    assert possible == {kind for kind, *_ in found}


def test_every_fault_is_said_in_both_languages_without_the_words_of_the_library(found: list[Fault]) -> None:
    for kind, english, _, location in found:
        japanese = translated(english, "ja")
        assert is_japanese(japanese), f"{kind} at {location}: {japanese}"
        assert not re.search(r"Input|should|valid|Field required|parse|Tuple|String", english), english


def test_every_fault_says_the_value_that_was_found_and_a_right_example(found: list[Fault]) -> None:
    for kind, english, value, location in found:
        if kind == "value_error" and "no condition" not in english and " is `" not in english:
            assert "`" in english or "lowest to the highest" in english, english
            continue
        quoted = re.findall(r"`([^`]*)`", english)
        assert len(quoted) >= 2, f"{kind} at {location}: {english}"
        if kind != "missing":
            assert toml_of(value)[:50] in english, f"{kind} at {location}: {english}"


def test_the_example_of_every_key_can_be_used() -> None:
    for path in places(WHOLE):
        field, _ = field_of(path, Playbook)
        if field is None or isinstance(path[-2:-1], int):
            continue
        assert field.examples, path
        said = example(field, str(path[-1]))
        value = tomllib.loads(said)
        if said.startswith("[") or " = " in str(field.examples[0]):
            continue
        assert [one for one in faults(changed(path, value[str(path[-1])])) if one[3] == path] == [], said


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('deadline_days = "５日"', "`deadline_days = 5`"),
        ("deadline_days = ５", "`deadline_days = 5`"),
        ("deadline_days = 5日", "`deadline_days = 5`"),
        ("deadline_days = 五", "`deadline_days = 7`"),
        ("deadline_days = -2", "`deadline_days = 7`"),
        ("deadline_days = 1.5", "`deadline_days = 7`"),
        ("deadline_day = 5", "`deadline_days`"),
        ("daedline_days = 5", "`deadline_days`"),
        ('teir = "low"', "`when.tier`"),
        ('tier = "low"', "`when.tier`"),
        ('when.tear = "low"', "`when.tier`"),
        ('service = "はい"', "`true`"),
        ('when.value = "上位10%"', '`when.value = "top 10%"`'),
        ('when.probability = "２０％以上"', '`when.probability = ">= 0.2"`'),
        ("when.value = 3000", '`when.value = ">= 3000"`'),
        ("when.probability = 90", '`when.probability = ">= 0.9"`'),
        ("when.probability = 0.9", '`when.probability = ">= 0.9"`'),
        ("when.probability = 900", '`when.probability = "top 10%"`'),
        ('when.probability = "20〜30"', '`when.probability = "0.2 to 0.3"`'),
        ('when.uplift = "5以上"', '`when.uplift = ">= 0.05"`'),
        ("when.tier = low", '`when.tier = ["low", "middle"]`'),
        ("name ＝ 3", "`=`"),
        ("en = 「新規」", "全角"),
    ],
)
def test_what_was_probably_meant_is_proposed(wrong: str, right: str) -> None:
    key = wrong.split()[0]
    lines = [one for one in rule("a").splitlines() if one.split()[0] != key]
    text = f"{HEAD}{chr(10).join(lines)}\n{wrong}\n"
    _, refusals = parse_all(text, "playbook.toml")
    line = text.splitlines().index(wrong) + 1
    said = [translated(one.wrong, "ja") for one in refusals if one.line == line]
    assert said, [str(one) for one in refusals]
    assert is_japanese(said[0].replace("TOML", ""))
    assert right.strip("`") in said[0], said[0]


def test_a_word_that_people_read_on_the_page_leads_to_the_word_of_the_file() -> None:
    for text, near in (("下位20%", "bottom 20%"), ("0.1〜0.3", "0.1 to 0.3"), ("1,000円以上", ">= 1000")):
        assert likely_condition(text) == near
    for text in ("とても高い", ",", ",以上", "1,2,~,"):
        assert likely_condition(text) is None
    for text in ("0.5~90", "0~1.5", "1.5以上"):
        assert likely_condition(text, of_share=True) is None, "a slip, or percent: nobody can tell"


def test_whatever_the_reader_of_toml_says_has_its_sentence_in_both_languages() -> None:
    said = re.findall(r'suffixed_err\([^"]*?f?"((?:[^"\\]|\\.)*)"', inspect.getsource(tomllib._parser))  # type: ignore[attr-defined]
    assert len(said) > 20
    assert [one for one in said if one and not one.startswith(tuple(ADVICE))] == []
    assert [one for one in ADVICE.values() if not is_japanese(translated(one, "ja"))] == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("x = " + "9" * 5000, "a number has too many digits"),
        ("x = " + "[" * 3000, "nested too deeply"),
        ('x = "C:\\data"', "has to be doubled"),
        ("x = {a = 1", "Write a } at its end"),
        ("x = {a = 1, a = 2}", "stands here twice"),
        ("x = 2024-02-30", "this is no date"),
        ("x = {a = 1}\nx.b = 2", "stands for something else already"),
        ('x = "\x01"', "an invisible character"),
    ],
)
def test_what_no_reader_takes_is_refused_with_its_line(wrong: str, words: str) -> None:
    text = HEAD + wrong
    file, (refusal,) = parse_all(text, "playbook.toml")
    assert file is None
    assert refusal.line == len(text.splitlines())
    assert words in refusal.message
    assert is_japanese(translated(refusal.wrong, "ja"))


@pytest.mark.parametrize("kind", DEFAULTS)
def test_the_default_playbooks_have_no_fault(kind: str) -> None:
    assert parse_all(default_text(kind), "playbook.toml")[1] == []
    assert faults(WHOLE) == []


def test_the_terminal_says_a_wrong_playbook_in_the_language_of_the_project(
    own_shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(HEAD + rule("a").replace("= 3", '= "５日"'), encoding="utf-8")
    settings = own_shop / "kizuna.toml"
    settings.write_text(f'language = "ja"\n{settings.read_text(encoding="utf-8")}', encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["-C", str(own_shop), "plan", "--playbook", str(file)])
    said = " ".join(capsys.readouterr().err.split())
    assert end.value.code == 3
    assert f'{FIRST + 6}行目が使えません：`rules.deadline_days` が `"５日"` になっています。' in said
    assert "（例：`deadline_days = 5`）" in said
