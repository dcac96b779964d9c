"""A share as people write it: `10%`, or a number from 0 to 1."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def read_share(written: object) -> float:
    """The share that a text such as `10%` or a number such as 0.1 says; raises `ValueError` for any other."""
    text = str(written).strip().replace("％", "%")
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if isinstance(written, bool) or not 0 <= number <= 1:
        raise ValueError("write a share such as 10% or 0.1")
    return number


def share_text(share: float) -> str:
    """A share in per cent, without needless digits."""
    return f"{share * 100:.4g}%"


Share = Annotated[float, BeforeValidator(read_share)]
"""A field of settings that takes `10%` and 0.1."""
