"""A small Japanese shop's files in CP932: orders with several lines and cancellations, members, inquiries."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "ja" / "shop.md"
FIRST, LAST = date(2024, 1, 1), date(2025, 6, 30)
GOODS = {"コーヒー豆": 1_980, "紅茶": 3_960, "焼菓子①": 1_188, "髙級ギフト": 5_500, "山﨑の器具": 7_920}
Row = list[str | int]


@dataclass
class ShopFiles:
    """What was written, to compare with."""

    members: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    inquiries: list[Row] = field(default_factory=list)
    occasions: int = 0
    cancelled: int = 0

    def ids(self, consent: str) -> set[str]:
        """The members whose メール配信可否 is this."""
        return {str(row[0]) for row in self.members if row[4] == consent}


def page_toml() -> str:
    """The complete kizuna.toml of the Japanese page."""
    blocks = PAGE.read_text(encoding="utf-8").split("```toml\n")
    return next(block.split("```")[0] for block in blocks[1:] if "[churn]" in block)


def write_shop(folder: Path, members: int = 300, seed: int = 3) -> ShopFiles:
    """Write data/受注.csv, data/会員.csv and data/問合せ.csv below the folder."""
    random, files = np.random.default_rng(seed), ShopFiles()
    number, days = 0, (LAST - FIRST).days
    for place in range(members):
        member = f"{13 * place + 32:05}"
        joined = int(random.integers(0, 200))
        visits = np.cumsum(random.exponential(random.choice([12, 25, 60]), 60)).astype(int) + joined
        until = joined + random.exponential(300)
        for day in sorted({int(day) for day in visits if day < min(until, days)}):
            number += 1
            lines = _lines(random, f"A{number:06}", FIRST + timedelta(day), member)
            files.orders += lines
            files.occasions += 1
            if random.random() < 0.04:
                files.cancelled += 1
                files.orders += [_cancelled(line, FIRST + timedelta(min(day + 3, days))) for line in lines]
            if random.random() < 0.1:
                files.inquiries.append(_inquiry(random, len(files.inquiries), FIRST + timedelta(day), member))
        born = date(1950 + place % 50, 1 + place % 12, 1 + place % 28)
        consent = ("可", "可", "可", "不可", "")[place % 5]
        rank = ("レギュラー", "シルバー", "ゴールド")[place % 3]
        since = FIRST + timedelta(joined) - timedelta(1)
        changed = since + timedelta(place % 90)
        files.members.append([member, "髙橋 花子", _ja(born), _ja(since), consent, rank, _ja(changed)])
    write(
        folder / "data" / "会員.csv",
        "会員番号,氏名,生年月日,入会日,メール配信可否,ランク,更新日",
        files.members,
    )
    write(
        folder / "data" / "受注.csv",
        "受注番号,注文日,会員番号,カテゴリ,商品名,数量,金額（税込）,状態",
        files.orders,
    )
    write(folder / "data" / "問合せ.csv", "受付番号,受付日時,対応日時,会員番号,種別,内容", files.inquiries)
    return files


def write(file: Path, heading: str, rows: Sequence[Row], encoding: str = "cp932") -> None:
    """Write a CSV in the encoding of Japanese Windows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding=encoding, newline="") as target:
        lines = csv.writer(target)
        lines.writerow(heading.split(","))
        lines.writerows(rows)


def _lines(random: np.random.Generator, order: str, day: date, member: str) -> list[Row]:
    lines: list[Row] = []
    for _ in range(int(random.integers(1, 4))):
        goods = str(random.choice(list(GOODS)))
        pieces = int(random.integers(1, 3))
        amount = f"{GOODS[goods] * pieces:,}円"
        lines.append([order, _ja(day), member, goods, f"{goods}セット", pieces, amount, "完了"])
    return lines


def _cancelled(line: Row, day: date) -> Row:
    return [line[0], _ja(day), *line[2:5], -int(line[5]), f"-{line[6]}", "取消"]


def _inquiry(random: np.random.Generator, number: int, day: date, member: str) -> Row:
    received = datetime(day.year, day.month, day.day, 10, 30)  # noqa: DTZ001 (as written in a file)
    answered = received + timedelta(minutes=int(random.lognormal(6, 1)))
    done = f"{answered:%Y/%m/%d %H:%M}" if random.random() < 0.95 else ""
    return [f"Q{number:05}", f"{received:%Y/%m/%d %H:%M}", done, member, "配送", "髙島屋①の荷物が届かない"]


def _ja(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"
