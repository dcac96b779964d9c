"""Writes the reference pages that are made from the code, or with `--check` fails when one is stale."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from docs.measures import measures_page
from docs.picture_texts import stale_pictures
from docs.recipes import recipes_page

PAGES = Path(__file__).parent


def features_page() -> str:
    """Every default feature, with what it says without events, its unit and its words."""
    from features.catalog.aggregates import AGGREGATES
    from features.catalog.defaults import INDICATORS, ITEMS, Deciding, catalog, indicators
    from features.catalog.settings import FeatureSettings

    kinds = [kind for indicator in INDICATORS for kind in indicator.kinds] + [ITEMS]
    declared = catalog(
        indicators({}),
        FeatureSettings.model_validate({}),
        kinds,
        horizon_days=90,
        deciding=Deciding(("purchase",), 365, 90),
    )
    lines = [
        "# Features",
        "",
        "The default catalogue on a history that holds every kind of event, where purchases decide churn",
        "within 90 days after 365 (`[churn]`). A project has the part that fits the kinds it has. An",
        "indicator that decides churn has windows of churn's own days where no other is near, counts that",
        "fade over an eighth, a third, one and three horizons, and more of its rhythm; its chances of",
        "silence and of being alive are those of the population as of each date. Where the end of a contract",
        "is churn, `usage` has these columns. Where an indicator's events had two to eight details before",
        "the first as-of date, each is a stream of its own with counts and days since the last, such as",
        "`usage_of_search_count_90d`. A window of *n* days is",
        "`[as-of date - n × 86,400 s, as-of date)`; *without",
        "events* is what the feature says then (– nothing at all).",
        "",
        "## Aggregates",
        "",
        "| aggregate | without events | English | 日本語 |",
        "|---|---|---|---|",
    ]
    for name, aggregate in AGGREGATES.items():
        lines.append(f"| `{name}` | {_empty(aggregate.empty)} | {aggregate.english} | {aggregate.japanese} |")
    for indicator in INDICATORS:
        columns = [name for name in declared.columns if declared.indicator_of(name) == indicator.name]
        lines += ["", f"## {indicator.name}", "", f"Kinds: {', '.join(indicator.kinds)}.", ""]
        lines += ["| feature | unit | without events | English | 日本語 |", "|---|---|---|---|---|"]
        for name in columns:
            words = f"{declared.meaning(name, 'en')} | {declared.meaning(name, 'ja')}"
            lines.append(f"| `{name}` | {declared.unit(name)} | {_empty(declared.empty(name))} | {words} |")
    return "\n".join([*lines, *_attributes()]) + "\n"


def _attributes() -> list[str]:
    """How attributes are read, and which are reserved."""
    from features.events.attributes import (
        MOST_SEGMENT_VALUES,
        NO,
        RESERVED_ATTRIBUTES,
        YES,
    )
    from features.events.consent import MAY_CONTACT, MUST_NOT_CONTACT

    def listed(words: Iterable[str]) -> str:
        return ", ".join(f"`{word}`" for word in words)

    return [
        "",
        "## Attributes",
        "",
        "Each attribute of `[[attributes]]` gives `profile_NAME_last` and `profile_NAME_last_detail`, its",
        "latest number and text, and `profile_NAME_detail_log_odds`: by how much more of the customers with",
        "that text left than of others on the same as-of dates, by labels decided before the date (0 for one",
        "that fewer than five customers of a date had). Models learn from it in place of the text.",
        "An attribute makes segments of the list and the report when it has at most",
        f"{MOST_SEGMENT_VALUES} values. The reserved ones below say whether and how to contact somebody:",
        "they are never features, reasons or segments. Case, full-width forms, blanks and hyphens in their",
        "names are ignored.",
        "",
        "| reserved | names |",
        "|---|---|",
        *(f"| {group} | {listed(names)} |" for group, names in RESERVED_ATTRIBUTES.items()),
        "",
        "Flags are read the same everywhere, whatever the column's type: 1 is yes and 0 is no.",
        "",
        "Consent is what `[[consent]]` names, what the playbook names as `do_not_contact`, and what is",
        "called like consent above; such an attribute is reserved too. Names with `メール`, `メルマガ` or",
        "`mail` are about e-mail, others about all channels, unless an entry says which:",
        "",
        "```toml",
        "[[consent]]",
        'attribute = "メール配信可否"',
        'says = "may_contact"          # or "must_not_contact": what a yes means',
        'channels = ["email"]          # all when left out',
        "```",
        "",
        "Without a value nobody is contacted under `may_contact`, and contact is allowed under",
        "`must_not_contact`. Of several attributes the strictest wins. A word that is neither a yes nor",
        "a no, and a yes and a no at one instant, mean no contact; `kizuna plan` and `kizuna doctor` say",
        "them with their counts. The newest word counts, also one after the as-of date of the scores:",
        "lists, exports, webhooks and the API check a plan again against the events of now.",
        "",
        "| meaning | words |",
        "|---|---|",
        f"| yes | `1`, {listed(sorted(YES))} |",
        f"| no | `0`, {listed(sorted(NO))} |",
        f"| must not be contacted, whatever the attribute is called | {listed(sorted(MUST_NOT_CONTACT))} |",
        f"| may be contacted, whatever the attribute is called | {listed(sorted(MAY_CONTACT))} |",
    ]


def _empty(value: float) -> str:
    return "–" if value != value else f"{value:g}"  # NaN


def settings_page() -> str:
    """Every key of kizuna.toml."""
    from serving.project.settings import Settings

    lines = ["# Settings", "", "The keys of `kizuna.toml`. `${NAME}` in a text reads the environment.", ""]
    lines += ["| key | default | meaning |", "|---|---|---|"]
    lines += [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in _keys("", Settings)]
    return "\n".join(lines) + "\n"


def _keys(prefix: str, shape: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for name, field in shape.model_fields.items():
        inner = _shape_within(field.annotation)
        if inner is None:
            default = "" if field.is_required() else _shown(field.get_default(call_default_factory=True))
            yield prefix + name, default, field.description or ""
        else:
            repeated = "tuple" in str(field.annotation)
            named = "dict" in str(field.annotation)
            yield from _keys(f"{prefix}{name}{'[]' if repeated else '.NAME' if named else ''}.", inner)


def _shape_within(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if inspect.isclass(candidate) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _shown(value: Any) -> str:
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def commands_page() -> str:
    """Every command with its help."""
    from serving.cli.main import kizuna

    lines = ["# Commands", ""]
    for name, command in [("", kizuna), *sorted(kizuna.commands.items())]:
        lines += _command(f"kizuna {name}".strip(), command)
    return "\n".join(lines)


def _command(words: str, command: click.Command) -> list[str]:
    context = click.Context(command, info_name=words, terminal_width=100, max_content_width=100)
    lines = [f"## {words}", "", "```", command.get_help(context), "```", ""]
    if words != "kizuna" and isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            lines += _command(f"{words} {name}", inner)
    return lines


def errors_page() -> str:
    """Every class of error with its exit code and HTTP status."""
    from features import errors

    lines = ["# Errors", "", inspect.cleandoc(errors.__doc__ or "").splitlines()[0], ""]
    lines += ["| error | exit code | HTTP | `code` | meaning |", "|---|---|---|---|---|"]
    for name, kind in vars(errors).items():
        if inspect.isclass(kind) and issubclass(kind, errors.KizunaError):
            meaning = (kind.__doc__ or "").splitlines()[0]
            lines.append(f"| `{name}` | {kind.exit_code} | {kind.status} | `{kind.code}` | {meaning} |")
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Every call of the API, from the published OpenAPI."""
    from serving.api.openapi import error_codes, specification

    spec = specification()
    lines = ["# API", "", "JSON over HTTP. The same, machine-readable, is served as `/docs.json`.", ""]
    lines += [
        'Every error has one shape: `{"error": {"code", "message", "field"}}`. The message is in the '
        "language of the request (`language`, else `Accept-Language`: `en` or `ja`), else of the project.",
        "",
    ]
    lines += ["| status | `code` | when |", "|---|---|---|"]
    lines += [f"| {status} | `{code}` | {when} |" for status, code, when in error_codes()]
    lines.append("")
    for route, calls in spec["paths"].items():
        for method, call in calls.items():
            lines += [f"## {method.upper()} {route}", "", call["summary"], ""]
            lines += [call["description"], ""] if "description" in call else []
            if "requestBody" in call:
                asked = call["requestBody"]["content"]["application/json"]
                lines += ["```json", json.dumps(asked["example"], ensure_ascii=False), "```", ""]
                lines += ["Request:", "", *_fields(spec, asked["schema"]), ""]
                lines += ["Answer:", "", *_fields(spec, _schema(call["responses"]["200"])), ""]
            if "parameters" in call:
                known = {
                    one["name"]: one["schema"] | {"description": one["description"]}
                    for one in call["parameters"]
                }
                where = "Address" if call["parameters"][0]["in"] == "path" else "Query"
                lines += [f"{where}:", "", *_fields(spec, {"properties": known}), ""]
            if method == "get" and "$ref" in (answer := _schema(call["responses"]["200"])):
                lines += ["Answer:", "", *_fields(spec, answer), ""]
    lines += ["## Parts", ""]
    for name, shape in sorted(spec["components"]["schemas"].items()):
        if shape.get("properties"):
            lines += [f"### {name}", "", shape.get("description", ""), "", *_fields(spec, shape), ""]
    return "\n".join(lines)


def _schema(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(spec: dict[str, Any], shape: dict[str, Any]) -> list[str]:
    if "$ref" in shape:
        shape = spec["components"]["schemas"][str(shape["$ref"]).rsplit("/", 1)[-1]]
    needed = shape.get("required", [])
    lines = ["| field | type | needed | meaning |", "|---|---|---|---|"]
    for field, about in shape.get("properties", {}).items():
        meaning = about.get("description", "")
        lines.append(f"| `{field}` | {_type(about)} | {'yes' if field in needed else ''} | {meaning} |")
    return lines


def _type(about: dict[str, Any]) -> str:
    if "$ref" in about:
        return str(about["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in about:
        return " or ".join(_type(option) for option in about["anyOf"])
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if about.get("type") == "array":
        return f"list of {_type(about.get('items', {}))}"
    return str(about.get("type", "any"))


GENERATED = {
    "features.md": features_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
    "api.md": api_page,
    "measures.md": measures_page,
    "recipes.md": recipes_page,
}


def main(arguments: list[str]) -> int:
    """Writes the pages; with `--check` compares them and says which are stale."""
    stale = []
    for name, page in GENERATED.items():
        text = page()
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        file = PAGES / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                file.write_text(text, encoding="utf-8")
    if "--check" not in arguments:
        return 0
    if stale:
        sys.stderr.write(f"stale pages in docs/: {', '.join(stale)}; run `make docs`\n")
    pictures = stale_pictures()
    if pictures:
        sys.stderr.write(
            f"{'; '.join(pictures)}; run `make demo`, then `.venv/bin/python -m docs.pictures`\n"
        )
    return 1 if stale or pictures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
