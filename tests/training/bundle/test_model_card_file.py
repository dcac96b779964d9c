"""The file of a model's card: what cards of earlier versions lack."""

from __future__ import annotations

import json
from pathlib import Path

from tests.serving.console.made_card import CARD
from training.bundle.model_card_file import FOLDER, load_model_card, save_model_card


def test_a_card_that_was_kept_before_the_figures_of_the_list_says_so(tmp_path: Path) -> None:
    save_model_card(tmp_path, CARD)
    file = tmp_path / FOLDER / f"{CARD.version}.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    none_defined: dict[str, float] = {}
    for figures in (none_defined, {"list_by_value_at_risk/recall": 0.5}):
        file.write_text(json.dumps(fields | {"list_figures": figures}), encoding="utf-8")
        card = load_model_card(tmp_path, CARD.version)
        assert card is not None
        assert card.list_figures == figures
    del fields["list_figures"]
    file.write_text(json.dumps(fields), encoding="utf-8")
    card = load_model_card(tmp_path, CARD.version)
    assert card is not None
    assert card.list_figures is None
