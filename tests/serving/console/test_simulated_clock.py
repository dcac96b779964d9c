"""Tests of a simulated project: pages whose times are not of the simulated clock say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from serving.application.workspace import Workspace
from serving.console.pages.access import show_audit
from serving.console.pages.jobs import show_jobs
from serving.console.rendering import render
from serving.console.visit import Answer, Page, Visit
from tests.serving.console.test_customer import shop, visit

__all__ = ["shop"]


@pytest.mark.parametrize(
    ("show", "says"),
    [(show_jobs, "このマシンの実際の時刻です"), (show_audit, "そのほかはシミュレーション中の時刻です")],
)
def test_times_of_this_machine_are_told_from_simulated_ones(
    shop: Workspace,  # the fixture
    show: Callable[[Visit], Answer],
    says: str,
) -> None:
    one = visit(shop, {}, role="administrator", language="ja")
    page = show(one)
    assert isinstance(page, Page)
    frame = {
        "menu": [],
        "other_language_address": "/",
        "is_open": False,
        "project_title": "shop",
        "notice": None,
    }
    assert says in render(one, page, {**frame, "simulated_now": shop.clock()})
    assert says not in render(one, page, {**frame, "simulated_now": None})
