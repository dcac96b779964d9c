"""The command `kizuna campaign report`: what a campaign did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import UsageError
from serving.cli.context import CLUSTER, LANGUAGES, OUTPUT, CliContext

if TYPE_CHECKING:
    from serving.schemas.campaign_responses import CampaignReport
    from serving.schemas.campaign_results import LoadedCampaignReply

ENDINGS = (".html", ".csv", ".json")


@click.command()
@click.argument("name", required=False)
@click.option("--global", "everything", is_flag=True, help="Everybody against the standing control group.")
@click.option("--since", metavar="DATE", help="With --global: the day from which on they are compared.")
@click.option(
    "--by",
    metavar="ATTRIBUTE",
    multiple=True,
    help="Groups that were not declared (exploratory); may be repeated.",
)
@click.option("--output", type=OUTPUT, help="The file to write: .html, .csv or .json.")
@click.option("--language", type=LANGUAGES, help="The language of the report [language].")
@CLUSTER
@click.pass_obj
def report(
    call: CliContext,
    name: str | None,
    everything: bool,
    since: str | None,
    by: Sequence[str],
    output: Path | None,
    language: str | None,
    cluster: str | None,
) -> None:
    """What a campaign did: treatment against control at its review dates.

    Retention, money, activity and more by intention to treat, with intervals; what it gained and cost; by
    tier, risk decile, touch model and segment; between review dates a confidence sequence.

    \b
    Examples:
      kizuna campaign report spring
      kizuna campaign report spring --output spring.html --language ja
      kizuna campaign report --global --since 2025-01-01
    """
    from serving.application.campaigns.global_report import global_report
    from serving.application.campaigns.report import campaign_report
    from serving.application.campaigns.stored_results import loaded_result
    from serving.presentation.campaign_report.csv_rows import report_csv
    from serving.presentation.campaign_report.page import page
    from serving.presentation.campaign_report.terminal import show

    if output is not None and output.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"cannot tell in which format to write {output}: its name ends in none of {', '.join(ENDINGS)}. "
            "Give a name with one of them."
        )
    if everything == (name is not None) or everything != (since is not None):
        raise UsageError(
            "cannot tell what to report: give the NAME of a campaign, or --global with --since DATE."
        )
    language = language or call.project.settings.language
    with call.workspace_on_cluster(cluster) as workspace, call.progress() as progress:
        if name is not None:
            loaded = None if by else loaded_result(workspace, call.actor, name)
            if loaded is not None:
                _answer_loaded(call, loaded, output, language)
                return
            found = campaign_report(workspace, call.actor, name, by=tuple(by), progress=progress)
        else:
            found = global_report(workspace, call.actor, since or "", by=tuple(by), progress=progress)
    words = call.project.words
    _give(
        call,
        found,
        output,
        language,
        html=lambda: page(found, language, words),
        csv=lambda: report_csv(found),
        show=lambda: show(found, language, words),
    )


def _answer_loaded(call: CliContext, loaded: LoadedCampaignReply, output: Path | None, language: str) -> None:
    """The stored result of a campaign that was run elsewhere: printed, or written to a file."""
    from serving.presentation.campaign_load import show
    from serving.presentation.campaign_report.loaded import loaded_csv, loaded_page

    _give(
        call,
        loaded,
        output,
        language,
        html=lambda: loaded_page(loaded, language),
        csv=lambda: loaded_csv(loaded),
        show=lambda: show(loaded, language),
    )


def _give(
    call: CliContext,
    found: CampaignReport | LoadedCampaignReply,
    output: Path | None,
    language: str,
    *,
    html: Callable[[], str],
    csv: Callable[[], Iterable[str]],
    show: Callable[[], None],
) -> None:
    """Print a report, or write it in one step in the format that the file's name ends in."""
    from serving.schemas.json_text import to_json

    if output is not None:
        written: dict[str, Callable[[], str]] = {
            ".html": html,
            ".csv": lambda: "".join(csv()),
            ".json": lambda: f"{to_json(found)}\n",
        }
        _write_text(written[output.suffix.lower()](), output)
        call.answer(
            {"file": str(output), "campaign": found.campaign},
            f"Wrote the report of the campaign {found.campaign} to {output}.",
        )
    elif call.json:
        call.answer(found)
    else:
        call.heading(language)
        show()


def _write_text(text: str, file: Path) -> None:
    from serving.state.atomic_write import in_one_step

    with in_one_step(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")
