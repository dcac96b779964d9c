"""The models of a project as its state has them, without MLflow: in use, champion, every decision, cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from serving.application.permissions import Actor, use_case
from serving.application.workspace import Workspace
from serving.state.scores.score_index import rows_in_use
from training.bundle.model_card_file import StoredModelCard, load_model_card
from training.bundle.promotions import PROMOTIONS, PromotionLine, champion_before, promotion_log

BY_HAND = ("promote", "rollback")


@dataclass(frozen=True)
class ModelDecision:
    """One line of the promotion log."""

    decided_at: str
    action: str
    """`train`, or `promote` or `rollback` where somebody decided by hand."""
    version: str
    run: str
    trained_until: str
    promoted: bool
    figures: Mapping[str, float]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    japanese: tuple[str, ...]
    """The refusals, then the warnings, in Japanese; empty where it was by hand."""


@dataclass(frozen=True)
class ModelHistory:
    """What is known of a project's models."""

    in_use: str | None
    """The version that the scores in use were made with."""
    champion: str | None
    """The version that the next scoring takes."""
    before: str | None
    """The version that a rollback would bring back."""
    decisions: tuple[ModelDecision, ...]
    """The newest first."""
    card: StoredModelCard | None
    """Of the version that was asked for, else of the champion."""
    shown: str | None
    """The version of the card, whether there is one or not."""
    run_address: str | None = None
    """Where MLflow's server shows the run of the card; None where runs are kept in a file."""

    @property
    def versions(self) -> tuple[ModelDecision, ...]:
        """Every trained version, the newest first."""
        return tuple(one for one in self.decisions if one.action not in BY_HAND)


@use_case("read_model")
def model_history(workspace: Workspace, actor: Actor, version: str | None = None) -> ModelHistory:
    """The models of a project, with the card of one of them."""
    state = workspace.project.state
    lines = promotion_log(state / PROMOTIONS)
    pointer, _ = rows_in_use(workspace.database)
    champion = next((str(one["version"]) for one in reversed(lines) if one["promoted"]), None)
    shown = version or champion
    known = {str(one["version"]) for one in lines}
    card = load_model_card(state, shown) if shown in known and shown is not None else None
    return ModelHistory(
        None if pointer is None else pointer[0],
        champion,
        champion_before(lines, champion),
        tuple(_decision(one) for one in reversed(lines)),
        card,
        shown,
        None if card is None else _run_address(workspace.project.settings.tracking_uri, card),
    )


def _run_address(tracking_uri: str, card: StoredModelCard) -> str | None:
    """The page of a card's run on MLflow's server, without the name and password that the URI may hold.

    None where `tracking_uri` is no server, or the card does not say which experiment the run is in.
    """
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https") or not (card.run and card.experiment):
        return None
    server = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return f"{server.rstrip('/')}/#/experiments/{card.experiment}/runs/{card.run}"


def _decision(line: PromotionLine) -> ModelDecision:
    return ModelDecision(
        str(line["decided_at"]),
        str(line.get("action", "train")),
        str(line["version"]),
        str(line.get("run", "")),
        str(line.get("trained_until", "")),
        bool(line["promoted"]),
        dict(line.get("figures", {})),
        tuple(line.get("refusals", ())),
        tuple(line.get("warnings", ())),
        tuple(line.get("japanese", ())),
    )
