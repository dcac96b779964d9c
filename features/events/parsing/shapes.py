"""Shapes of texts: a column of text grouped by its form, with every digit replaced by 9.

A column has millions of texts and a few shapes (`9999-99-99 99:99:99`). What a shape means is worked out
once; the digits of all its texts are then taken out together, by their places.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Span = tuple[int, int]
"""A range of bytes within each text of a shape."""
_NINE = np.uint8(ord("9"))
_ZERO = np.uint8(ord("0"))


@dataclass(frozen=True, eq=False)
class ShapeGroup:
    """The texts of one shape: their rows, and where each begins in the bytes of the column."""

    shape: str
    rows: NDArray[np.int64]
    data: NDArray[np.uint8]
    begins: NDArray[np.int64]
    cells: NDArray[np.uint8] | None = None
    """uint8[rows, length], where the texts lie side by side."""

    def bytes_at(self, place: int) -> NDArray[np.uint8]:
        """The byte at a place of every text, uint8[len(rows)]."""
        return self.data[self.begins + place] if self.cells is None else self.cells[:, place]

    def whole(self, span: Span) -> NDArray[np.int64]:
        """The digits of a span as whole numbers, int64[len(rows)]; at most 18 digits."""
        number = np.zeros(len(self.rows), dtype=np.int64)
        for place in range(*span):
            number *= 10
            number += self.bytes_at(place)
            number -= _ZERO
        return number

    def text(self, at: int) -> str:
        """The text of the group's row number `at`."""
        begin = int(self.begins[at])
        return self.data[begin : begin + len(self.shape.encode())].tobytes().decode()

    def texts(self) -> list[str]:
        """All its texts."""
        return [self.text(at) for at in range(len(self.rows))]


@dataclass(frozen=True, eq=False)
class ShapedColumn:
    """A column of text, normalised (NFKC, so that ２０２４ is 2024) and grouped by shape."""

    texts: pa.Array
    codes: NDArray[np.int32]
    """int32[n]: places in `shapes`, -1 where a row is null."""
    shapes: tuple[str, ...]

    def groups(self) -> Iterator[ShapeGroup]:
        """The texts of each shape."""
        data, starts = _bytes(self.texts)
        if len(self.shapes) == 1 and not (self.codes < 0).any():
            wide = len(self.shapes[0].encode())
            cells = data[starts[0] : starts[-1]].reshape(len(self.codes), wide)
            yield ShapeGroup(self.shapes[0], np.arange(len(self.codes)), data, starts[:-1], cells)
            return
        order = np.argsort(self.codes, kind="stable")
        edges = np.searchsorted(self.codes[order], np.arange(len(self.shapes) + 1))
        for code, shape in enumerate(self.shapes):
            rows = order[edges[code] : edges[code + 1]]
            if len(rows):
                yield ShapeGroup(shape, rows, data, starts[rows])


def shaped(values: pa.Array) -> ShapedColumn:
    """Group the texts of an array by their shape."""
    texts = _normalised(values.cast(pa.large_string()))
    data, starts = _bytes(texts)
    digits = (data >= _ZERO) & (data <= _NINE)
    masked = pa.Array.from_buffers(
        pa.large_string(),
        len(texts),
        [None, pa.py_buffer(starts.tobytes()), pa.py_buffer(np.where(digits, _NINE, data).tobytes())],
    )
    encoded = masked.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    if texts.null_count:
        codes[~texts.is_valid().to_numpy(zero_copy_only=False)] = -1
    return ShapedColumn(texts, codes, tuple(encoded.dictionary.to_pylist()))


def spans(shape: str) -> list[int]:
    """Where each character of a shape begins in bytes, and its end."""
    edges = [0]
    for character in shape:
        edges.append(edges[-1] + len(character.encode()))
    return edges


def _normalised(texts: pa.Array) -> pa.Array:
    data, _ = _bytes(texts)
    if not len(data) or data.max() < 0x80:
        return texts
    encoded = texts.dictionary_encode()
    plain = [unicodedata.normalize("NFKC", text) for text in encoded.dictionary.to_pylist()]
    return pa.array(plain, pa.large_string()).take(encoded.indices)


def _bytes(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of a large_string array, and where each text begins in them."""
    _, places, data = texts.buffers()
    starts = np.frombuffer(places, np.int64, len(texts) + 1, texts.offset * 8)
    whole = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
    return whole, starts
