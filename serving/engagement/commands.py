"""The commands `kizuna report` and `kizuna plan`."""

from __future__ import annotations

from pathlib import Path

import click

from serving.call import LANGUAGES, OUTPUT, Call


@click.command()
@click.option(
    "--months", type=click.Choice(["3", "6", "12"]), default="3", show_default=True, help="Whole months."
)
@click.option("--output", type=OUTPUT, help="Write to this file: .html, .csv or .json by its ending.")
@click.option("--language", type=LANGUAGES, help="The language of names and formulas [language].")
@click.pass_obj
def report(call: Call, months: str, output: Path | None, language: str | None) -> None:
    """How customers are engaged: every measure with its interval, against before and last year.

    \b
    Examples:
      kizuna report --months 12 --output report.html
      kizuna report --months 3 --output report.csv --language ja
      kizuna --json report
    """
    from serving.engagement.asking import ask
    from serving.engagement.rendering import rendered, show
    from serving.engagement.report import reply
    from serving.engagement.survey import take
    from serving.writing import in_one_step

    language = language or call.project.settings.language
    with call.records() as records, call.progress() as progress:
        survey = take(call.store, ask(call.project, call.store, records, int(months), call.now), progress)
    answer = reply(survey, language)
    if output is not None:
        content = rendered(answer, output, language)
        with in_one_step(output) as unfinished:
            unfinished.write_bytes(content)
        call.say({"file": str(output), "period": answer["period"]}, f"Wrote {output}.")
    elif call.json:
        call.say(answer)
    else:
        show(answer, language)
