"""The audit log shows what people changed and who asked for whom, in one list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from serving.cli.context import CliContext
from serving.cli.main import main
from serving.state.audit_log import AccessRecord, record_accesses


def command_output(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> Any:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["-C", str(folder), "--json", *words])
    return json.loads(capsys.readouterr().out)


def test_audit_shows_keys_erasures_and_readmissions_beside_calls(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("keys", "add", "crm"),
        ("keys", "rotate", "crm"),
        ("keys", "revoke", "crm"),
        ("erase", "c0003"),
        ("readmit", "c0003"),
    ):
        command_output(capsys, own_shop, *words)
    call = CliContext(own_shop)
    with call.records() as records:
        record_accesses(records, [AccessRecord(call.now, "crm", "score", np.array([1, 2]))])
    entries = command_output(capsys, own_shop, "audit", "--limit", "6")["asked"]
    assert [(one["action"], one["who"], one["customers"], one["details"]) for one in entries] == [
        ("score", "crm", 2, ""),
        ("readmit", "command line", 0, ""),
        ("erase", "command line", 1, ""),
        ("keys revoke", "command line", 0, "crm"),
        ("keys rotate", "command line", 0, "crm"),
        ("keys add", "command line", 0, "crm"),
    ]
    assert [one["action"] for one in command_output(capsys, own_shop, "audit", "--limit", "2")["asked"]] == [
        "score",
        "readmit",
    ]


def test_audit_of_a_customer_shows_what_is_about_them(
    own_shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command_output(capsys, own_shop, "keys", "add", "crm")
    call = CliContext(own_shop)
    key = int(call.store.customers.keys(pa.array(["c0006"]))[0])
    with call.records() as records:
        record_accesses(records, [AccessRecord(call.now, "crm", "score", np.array([key]))])
    assert [one["action"] for one in command_output(capsys, own_shop, "audit", "c0006")["asked"]] == ["score"]
