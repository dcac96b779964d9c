"""Decodes columns of a run from its Parquet pages, several times faster than a general reader.

Kizuna writes its runs so that little is left to do: hot columns are not compressed, numbers are in plain
encoding, texts and keys are indices of a dictionary, bit-packed or run-length encoded (parquet.apache.org,
"Encodings"). Every function returns whether it could read a column chunk; if not, the caller uses Arrow.

Inputs: `data`, uint8[bytes] of a file, and where a column chunk begins and ends in it. Outputs: values in
`out`, one for each row. Invariant: the values are Arrow's own, or the chunk is left to Arrow.
Plain version: `pyarrow.parquet`; `tests/features/storage/test_run_reader.py` compares them.
Read on only to change the speed.
"""

from __future__ import annotations

import numba
import numpy as np

_PLAIN, _RLE_DICTIONARY = 0, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_BOTH_BOOLEANS, _BYTE, _VARINTS, _DOUBLE, _BINARY, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, 12


@numba.njit(cache=True, nogil=True)
def fixed(data, at, stop, missing, out):  # type: ignore[no-untyped-def]
    """Fills `out` (int64) with the 8-byte values of a chunk's pages, `missing` where there is none."""
    row = 0
    while row < len(out):
        at, kind, size, count, encoding = _page(data, at, stop)
        if kind != _DATA_PAGE or encoding != _PLAIN or row + count > len(out):
            return False
        body, present, levels = _levels(data, at, at + size, count)
        if present < 0 or body + 8 * present > at + size:
            return False
        # One more than there are: the buffer goes on after the file, and the last is not used.
        numbers, place = data[body : body + 8 * present + 8].view(np.int64), np.uintp(0)
        if present == count:
            out[row : row + count] = numbers[:count]
        else:
            for i in range(np.uintp(0), np.uintp(count)):
                out[np.uintp(row) + i] = numbers[place] if levels[i] else missing
                place += np.uintp(levels[i])
        row, at = row + count, at + size
    return True


@numba.njit(cache=True, nogil=True)
def follows(data, header, stop, rows):  # type: ignore[no-untyped-def]
    """Whether a chunk is one page with a plain value for each row, and they follow `header` bytes."""
    at, kind, size, count, encoding = _page(data, 0, stop)
    if kind != _DATA_PAGE or encoding != _PLAIN or count != rows or at + size != stop or at > header:
        return False
    body, present, _ = _levels(data, at, header, count)
    return present == count and body == header


@numba.njit(cache=True, nogil=True)
def blank(data, at, stop, rows):  # type: ignore[no-untyped-def]
    """Whether no row of a chunk has a value."""
    row = 0
    while row < rows:
        at, kind, size, count, _ = _page(data, at, stop)
        if kind == _DICTIONARY_PAGE:
            at += size
            continue
        if kind != _DATA_PAGE or row + count > rows:
            return False
        _, present, _ = _levels(data, at, at + size, count)
        if present != 0:
            return False
        row, at = row + count, at + size
    return True


@numba.njit(cache=True, nogil=True)
def codes(data, at, stop, numbers, out):  # type: ignore[no-untyped-def]
    """Fills `out` (int32) with `numbers[index]` of a dictionary-coded chunk, -1 where there is no text."""
    row, renumber = 0, (numbers != np.arange(len(numbers))).any()
    while row < len(out):
        at, kind, size, count, encoding = _page(data, at, stop)
        if kind == _DICTIONARY_PAGE:
            at += size
            continue
        if kind != _DATA_PAGE or encoding != _RLE_DICTIONARY or row + count > len(out):
            return False
        body, present, levels = _levels(data, at, at + size, count)
        if present < 0:
            return False
        if present and not _unpack(data, body + 1, at + size, data[body], out[row : row + present]):
            return False
        if present and out[row : row + present].max() >= len(numbers):
            return False
        for i in range(row, row + present if renumber else row):
            out[i] = numbers[out[i]]
        if present < count:
            _spread(levels, present, -1, out[row : row + count])
        row, at = row + count, at + size
    return True


@numba.njit(cache=True, nogil=True)
def stretches(data, at, stop, first, rows, keys, starts, found):  # type: ignore[no-untyped-def]
    """Adds the stretches of equal keys in a chunk to `keys` and `starts`, from place `found` on.

    `first` is the row at which the chunk begins. Gives the number of stretches, or -1.
    """
    known, row = np.empty(0, np.int64), 0
    buffer = np.empty(8, np.int32)
    while row < rows:
        at, kind, size, count, encoding = _page(data, at, stop)
        if kind == _DICTIONARY_PAGE and encoding in (0, 2) and 8 * count <= size:
            known = np.empty(count, np.int64)
            known.view(np.uint8)[:] = data[at : at + 8 * count]
            at += size
            continue
        if kind != _DATA_PAGE or encoding != _RLE_DICTIONARY or row + count > rows:
            return -1
        end = at + size
        body, present, _ = _levels(data, at, end, count)
        if present != count:
            return -1
        width, place, done = data[body], body + 1, 0
        if width > 31:
            return -1
        while done < count:
            place, header = _varint(data, place, end)
            if place < 0:
                return -1
            if header & 1:
                for _ in range(min(header >> 1, (count - done + 7) >> 3)):
                    if place + width > end:
                        return -1
                    _unpack_eight(data, place, width, buffer, 0)
                    place += width
                    for i in range(min(8, count - done)):
                        if buffer[i] >= len(known):
                            return -1
                        key = known[buffer[i]]
                        if found == 0 or keys[found - 1] != key:
                            keys[found], starts[found] = key, first + row + done + i
                            found += 1
                    done = min(count, done + 8)
            else:
                index = np.int64(0)
                for byte in range((width + 7) // 8):
                    index |= np.int64(data[place + byte]) << (8 * byte)
                place += (width + 7) // 8
                if index >= len(known) or place > end or header == 0:
                    return -1
                key = known[index]
                if found == 0 or keys[found - 1] != key:
                    keys[found], starts[found] = key, first + row + done
                    found += 1
                done += header >> 1
        row, at = row + count, end
    return found


@numba.njit(cache=True, nogil=True)
def dictionary(data, at, stop):  # type: ignore[no-untyped-def]
    """Where the body of the dictionary page of a chunk begins and ends, and how many entries it has."""
    at, kind, size, count, encoding = _page(data, at, stop)
    if kind != _DICTIONARY_PAGE or encoding not in (0, 2):
        return -1, -1, -1
    return at, at + size, count


def texts(body: bytes, count: int) -> list[str]:
    """The texts of a dictionary page."""
    found, at = [], 0
    for _ in range(count):
        length = int.from_bytes(body[at : at + 4], "little")
        found.append(body[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found


@numba.njit(cache=True, nogil=True)
def _page(data, at, stop):  # type: ignore[no-untyped-def]
    """Of a page's header: where the body begins, page type, size, number of values, encoding.

    The header is a Thrift struct in the compact protocol; the type is -1 where it is not to be read.
    """
    kind, size, packed, count, encoding = -1, -1, -2, -1, -1
    outer, fields = 0, np.zeros(8, np.int64)  # the last field's number on each level
    depth = 0
    while at < stop:
        byte = data[at]
        at += 1
        if byte == 0:
            if depth == 0:
                if size != packed or size < 0 or count < 0 or at + size > stop:
                    return at, -1, 0, 0, 0
                return at, kind, size, count, encoding
            depth -= 1
            continue
        type_, step = byte & 15, byte >> 4
        if step:
            fields[depth] += step
        else:
            at, number = _varint(data, at, stop)
            fields[depth] = (number >> 1) ^ -(number & 1)
        if type_ in _VARINTS:
            at, number = _varint(data, at, stop)
            value = (number >> 1) ^ -(number & 1)
            field = fields[depth]
            if depth == 0:
                kind = value if field == 1 else kind
                size = value if field == 2 else size
                packed = value if field == 3 else packed
            elif depth == 1 and outer in (5, 7):
                count = value if field == 1 else count
                encoding = value if field == 2 else encoding
        elif type_ == _BINARY:
            at, number = _varint(data, at, stop)
            at += number
        elif type_ == _STRUCT and depth < 7:
            outer = fields[0]
            depth += 1
            fields[depth] = 0
        elif type_ == _DOUBLE:
            at += 8
        elif type_ == _BYTE:
            at += 1
        elif type_ not in _BOTH_BOOLEANS:
            break
        if at < 0:
            break
    return 0, -1, 0, 0, 0


@numba.njit(cache=True, nogil=True)
def _varint(data, at, stop):  # type: ignore[no-untyped-def]
    """Where an unsigned varint ends, and its value; -1 where it does not end."""
    value, shift = np.int64(0), 0
    while at < stop and shift < 63:
        byte = data[at]
        at += 1
        value |= np.int64(byte & 127) << shift
        if byte < 128:
            return at, value
        shift += 7
    return -1, value


@numba.njit(cache=True, nogil=True)
def _levels(data, at, stop, count):  # type: ignore[no-untyped-def]
    """Of a data page: where its values begin, how many there are, and which rows have one.

    The flags are empty when all or none have one; the number is -1 where they are not to be read.
    """
    none = np.empty(0, np.uint8)
    if at + 4 > stop:
        return at, -1, none
    size = np.int64(0)
    for byte in range(4):
        size |= np.int64(data[at + byte]) << (8 * byte)
    begin, end = at + 4, at + 4 + size
    if end > stop:
        return at, -1, none
    place, header = _varint(data, begin, end)
    if place < 0:
        return at, -1, none
    if header & 1 == 0 and header >> 1 == count and place < end:
        present = count if data[place] else 0
        return end, present, (none if present else np.zeros(count, np.uint8))
    levels = np.empty(count, np.uint8)
    if not _unpack(data, begin, end, 1, levels) or (count and levels.max() > 1):
        return at, -1, none
    return end, np.int64(levels.sum()), levels


@numba.njit(cache=True, nogil=True)
def _spread(levels, present, missing, out):  # type: ignore[no-untyped-def]
    """Moves the first values of `out` to the rows that have one."""
    source = np.int64(present) - 1  # from the end, so that nothing is overwritten before it is moved
    for i in range(len(out) - 1, -1, -1):
        value = out[source if source > 0 else 0]
        out[i] = value if levels[i] else missing
        source -= np.int64(levels[i])


@numba.njit(cache=True, nogil=True)
def _unpack(data, at, stop, width, out):  # type: ignore[no-untyped-def]
    """Fills `out` from run lengths and packed groups of eight; says whether it could."""
    done, count, last = 0, len(out), np.empty(8, np.int32)
    if width > 31:
        return False
    while done < count:
        at, header = _varint(data, at, stop)
        if at < 0 or header == 0:
            return False
        if header & 1:
            groups = header >> 1
            if width and groups > (stop - at) // width:
                return False
            whole = min(groups, (count - done) >> 3)
            for _ in range(whole):
                _unpack_eight(data, at, width, out, done)
                at += width
                done += 8
            if whole < groups:  # the last group is filled up with zeros
                _unpack_eight(data, at, width, last, 0)
                at += width * (groups - whole)
                out[done:] = last[: count - done]
                done = count
        else:
            value = np.int64(0)
            for byte in range((width + 7) // 8):
                value |= np.int64(data[at + byte]) << (8 * byte)
            at += (width + 7) // 8
            if at > stop:
                return False
            end = min(count, done + (header >> 1))
            out[done:end] = value
            done = end
    return True


@numba.njit(cache=True, nogil=True, inline="always")
def _unpack_eight(data, at, width, out, begin):  # type: ignore[no-untyped-def]
    """Eight numbers of `width` bits; seven bytes after them are touched, and the file goes on after them."""
    mask = (np.uint64(1) << np.uint64(width)) - np.uint64(1)
    at, begin = np.uintp(at), np.uintp(begin)
    if width <= 8:
        word = _word(data, at)
        for i in range(np.uintp(8)):
            out[begin + i] = (word >> np.uint64(i * width)) & mask
    else:
        for i in range(np.uintp(8)):
            word = _word(data, at + ((i * np.uintp(width)) >> np.uintp(3)))
            out[begin + i] = (word >> np.uint64((i * np.uintp(width)) & np.uintp(7))) & mask


@numba.njit(cache=True, nogil=True, inline="always")
def _word(data, at):  # type: ignore[no-untyped-def]
    """Eight bytes, the lowest first."""
    word = np.uint64(0)
    for byte in range(np.uintp(8)):
        word |= np.uint64(data[at + byte]) << np.uint64(byte << np.uintp(3))
    return word
