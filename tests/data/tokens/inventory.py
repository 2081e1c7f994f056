"""Keeps the stock of a small warehouse, and says what to order."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Iterable, Iterator

logger = logging.getLogger(__name__)
REORDER_DAYS = 14


@dataclass(frozen=True, slots=True)
class Movement:
    sku: str
    quantity: int
    day: date
    reason: str = "sale"

    def __post_init__(self) -> None:
        if not self.sku or self.quantity == 0:
            raise ValueError(f"not a movement: {self!r}")


@dataclass
class Stock:
    levels: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    history: list[Movement] = field(default_factory=list)

    def apply(self, movement: Movement) -> int:
        """Changes a level, which must not become negative."""
        level = self.levels[movement.sku] + movement.quantity
        if level < 0:
            raise ValueError(f"{movement.sku}: {level} left")
        self.levels[movement.sku] = level
        self.history.append(movement)
        return level

    def daily_use(self, sku: str, until: date, days: int = 28) -> float:
        since = until - timedelta(days=days)
        used = [-m.quantity for m in self.history if m.sku == sku and m.quantity < 0 and since < m.day <= until]
        return sum(used) / days if used else 0.0

    def to_order(self, today: date) -> Iterator[tuple[str, int]]:
        for sku, level in sorted(self.levels.items()):
            needed = self.daily_use(sku, today) * REORDER_DAYS
            if level < needed:
                yield sku, int(needed - level + 0.5)


def read_movements(path: Path) -> Iterable[Movement]:
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                yield Movement(row["sku"].strip().upper(), int(row["quantity"]), date.fromisoformat(row["day"]))
            except (KeyError, ValueError) as error:
                logger.warning("%s:%d: %s", path.name, number, error)


if __name__ == "__main__":
    stock = Stock()
    for movement in read_movements(Path("movements.csv")):
        stock.apply(movement)
    for sku, amount in stock.to_order(date.today()):
        print(f"{sku:<12} {amount:>6,d}")
