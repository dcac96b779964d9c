"""Runs of the schedule as lines that people read and as JSON: what each step became, and what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from features.catalog.display_names import in_language
from features.timeline import Timeline
from serving.presentation.messages.catalog import translated
from serving.project.schedule_settings import BY_NAME
from serving.state.run_index import RunRecord, StepRecord, StepResult

STATE_WORDS = {
    "waiting": ("waiting", "待機中"),
    "running": ("running", "実行中"),
    "done": ("done", "完了"),
    "failed": ("failed", "失敗"),
    "blocked": ("not begun", "未実行"),
    "held": ("held back", "保留"),
    "broken off": ("broken off", "中断"),
}


@dataclass(frozen=True)
class StepReply:
    """One step of a run."""

    step: str
    state: str
    scheduled: str
    attempts: int
    seconds: float
    job: str
    """Its log is `jobs/JOB.log` in the state."""
    error: str
    warnings: list[str]
    result: StepResult


@dataclass(frozen=True)
class RunReply:
    """One run; instants in the project's time zone."""

    run: int
    day: str
    state: str
    began_at: str
    finished_at: str | None
    who: str
    steps: list[StepReply]


def reply(run: RunRecord, timeline: Timeline) -> RunReply:
    """A run as JSON shows it."""
    return RunReply(
        run.id,
        run.day,
        run.state,
        _moment(run.began_at, timeline),
        None if run.finished_at is None else _moment(run.finished_at, timeline),
        run.who,
        [
            StepReply(
                one.step,
                one.state,
                _moment(one.scheduled, timeline),
                one.attempts,
                one.seconds,
                one.job,
                one.error,
                list(one.warnings),
                {name: value for name, value in one.outcome.items() if name not in ("warnings", "held")},
            )
            for one in run.steps
        ],
    )


def run_lines(run: RunRecord, timeline: Timeline, language: str) -> Iterator[str]:
    """A run in full: a line for each step, and under it why it failed or what to look at."""
    yield headline(run, timeline, language)
    width = max((len(one.step) for one in run.steps), default=0)
    for step in run.steps:
        state = in_language(language, *STATE_WORDS[step.state])
        yield f"  {step.step:<{width}}  {state}{_facts(step, language)}"
        if step.error:
            yield f"    {translated(step.error, language)}"
        if step.state == "failed" and step.job:
            yield in_language(
                language, f"    log: state/jobs/{step.job}.log", f"    ログ：state/jobs/{step.job}.log"
            )
        warning = in_language(language, "warning: ", "警告：")
        yield from (f"    {warning}{translated(one, language)}" for one in step.warnings)


def headline(run: RunRecord, timeline: Timeline, language: str) -> str:
    """A run in one line."""
    began, state = _moment(run.began_at, timeline), in_language(language, *STATE_WORDS[run.state])
    unwell = [one.step for one in run.steps if one.state not in ("done", "waiting", "running")]
    what = f": {', '.join(unwell)}" if unwell else ""
    return in_language(
        language,
        f"run {run.id} for {run.day}, begun {began}: {state}{what}",
        f"実行{run.id}（{run.day}分、{began}開始）：{state}{what}",
    )


def plan_lines(
    resumed: RunRecord | None,
    scheduled: Mapping[str, int],
    ahead: Mapping[str, int],
    timeline: Timeline,
    language: str,
) -> Iterator[str]:
    """What a run would do now, and when each step is due next."""
    if resumed is not None:
        steps = ", ".join(one.step for one in resumed.steps if one.state != "done")
        yield in_language(
            language,
            f"Run {resumed.id} for {resumed.day} goes on first: {steps}.",
            f"まず {resumed.day} 分の実行{resumed.id}を続けます：{steps}。",
        )
    yield from _due_lines(scheduled, timeline, language)
    for name, instant in ahead.items():
        when = _moment(instant, timeline)
        yield in_language(language, f"  {name}: next due {when}", f"  {name}：次回 {when}")


def _due_lines(scheduled: Mapping[str, int], timeline: Timeline, language: str) -> Iterator[str]:
    if not scheduled:
        yield in_language(language, "No step is due now.", "いま実行すべき工程はありません。")
        return
    yield in_language(language, "Due now:", "いま実行すべき工程：")
    for name, instant in scheduled.items():
        words, when = in_language(language, *BY_NAME[name].words), _moment(instant, timeline)
        needs = [need for need in BY_NAME[name].needs if need in scheduled]
        after = in_language(language, f", after {', '.join(needs)}", f"、{'、'.join(needs)}の後")
        since = in_language(language, f"{words}, since {when}", f"{words}、{when}から")
        yield f"  {name}: {since}{after if needs else ''}"


def next_line(ahead: Mapping[str, int], timeline: Timeline, language: str) -> str:
    """That nothing is due, and when something will be."""
    if not ahead:
        return in_language(
            language,
            "Nothing is due, and `[schedule]` names no step that will be.",
            "実行すべき工程はなく、`[schedule]` に予定もありません。",
        )
    first = min(ahead, key=lambda name: ahead[name])
    when = _moment(ahead[first], timeline)
    return in_language(
        language,
        f"Nothing is due. Next: {first}, {when}. Steps can be named, as in `kizuna run {first}`.",
        f"いま実行すべき工程はありません。次回：{first}（{when}）。`kizuna run {first}` のように"
        "工程を指定して実行できます。",
    )


def list_lines(runs: Sequence[RunRecord], timeline: Timeline, language: str) -> Iterator[str]:
    """The runs, one line each."""
    if not runs:
        yield in_language(
            language,
            "Nothing was run yet. `kizuna run` does what is due.",
            "まだ実行されていません。`kizuna run` で予定の工程を実行できます。",
        )
    yield from (headline(run, timeline, language) for run in runs)


def _facts(step: StepRecord, language: str) -> str:
    """The figures of a step that is done, and how often and how long it was at work."""
    outcome, found = step.outcome, []
    if step.step == "ingest" and "new" in outcome:
        found.append(
            in_language(
                language,
                f"{outcome['new']:,} new, {outcome['corrected']:,} corrected",
                f"新規{outcome['new']:,}行、訂正{outcome['corrected']:,}行",
            )
        )
    if step.step == "score" and "as_of" in outcome:
        found.append(
            in_language(
                language,
                f"model {outcome['model_version']}, {outcome['customers']:,} customers",
                f"モデル{outcome['model_version']}、{outcome['customers']:,}名",
            )
        )
    if step.attempts > 1:
        found.append(in_language(language, f"attempt {step.attempts}", f"{step.attempts}回目"))
    if step.seconds:
        found.append(in_language(language, f"{step.seconds:,.1f} s", f"{step.seconds:,.1f}秒"))
    return f" ({', '.join(found)})" if found else ""


def _moment(instant: int, timeline: Timeline) -> str:
    return timeline.local(instant).isoformat(sep=" ", timespec="minutes")
