"""Where the records of a text with quoted values end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array

STRETCH_BYTES = 8 * 2**20
"""Text that is parsed at a time."""

LONGEST_RECORD = 2**28
"""Bytes after which a record that does not end is taken for an error."""

_BOM = b"\xef\xbb\xbf"
_QUOTE, _NEWLINE, _RETURN = 34, 10, 13


def stretches(
    file: BinaryIO, delimiter: str, size: int = STRETCH_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Cut a text where records end, newlines inside quotes being no ends.

    A quote opens a value only at its very beginning, and ``""`` inside stands for a quote:
    the rules of pyarrow, which parses the stretches.

    Parameters
    ----------
    file : binary file
        At its beginning.
    delimiter : str
        One character.
    size : int, optional
        Bytes of a stretch, as far as records allow.

    Yields
    ------
    offset : int
        Where the stretch begins.
    text : bytes
        Whole records.

    Raises
    ------
    InvalidDataError
        A quote is never closed, or a record is longer than 256 MB.
    """
    offset, line = 0, 1
    rest = file.read(len(_BOM))
    if rest == _BOM:
        offset, rest = len(_BOM), b""
    while more := file.read(max(size, len(rest))):
        text = rest + more
        end = _last_end(text, *_quoted(text, delimiter))
        if end == 0 and len(text) > LONGEST_RECORD:
            msg = f"the record in line {line} does not end within {len(text) >> 20} MB"
            raise InvalidDataError(msg)
        if end > 0:
            yield offset, text[:end]
            offset, line = offset + end, line + text.count(b"\n", 0, end)
        rest = text[end:]
    if rest:
        starts, ends = _quoted(rest, delimiter)
        if len(ends) and ends[-1] > len(rest):
            line += rest.count(b"\n", 0, int(starts[-1]))
            msg = f"the quote that opens in line {line} is never closed"
            raise InvalidDataError(msg)
        yield offset, rest


def _quoted(text: bytes, delimiter: str) -> tuple[Array, Array]:
    """Return where quoted values begin and end; an open one ends behind the text."""
    values = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(values == _QUOTE)
    opening = quotes[::2]
    # Every other quote opens a value, if it follows the end of another value or of a
    # record, or follows a quote at once: then the two are an escaped one.
    before = values[opening - 1]
    fine = (before == ord(delimiter)) | (before == _NEWLINE) | (before == _RETURN)
    fine[1:] |= quotes[1:-1:2] + 1 == opening[1:]
    if len(opening) and opening[0] == 0:
        fine[0] = True
    if fine.all():
        closing = quotes[1::2]
        if len(closing) < len(opening):
            closing = np.append(closing, len(text) + 1)
        return opening, closing
    # Stray quotes inside values: one value after the other.
    mark = re.escape(delimiter.encode())
    found = re.finditer(rb"(?:\A|(?<=[\n\r" + mark + rb']))"[^"]*+(?:""[^"]*+)*+("?)', text)
    spans = np.array([(m.start(), m.end() - 1 if m[1] else len(text) + 1) for m in found])
    spans = spans.reshape(-1, 2)
    return spans[:, 0], spans[:, 1]


def _last_end(text: bytes, starts: Array, ends: Array) -> int:
    """Return the end of the last record that ends in a text, 0 if none does."""
    # Files of old Macintoshes end lines with a return alone.
    mark = b"\n" if b"\n" in text else b"\r"
    end = len(text) if mark == b"\n" else len(text) - 1
    while (at := text.rfind(mark, 0, end)) >= 0:
        inside = int(np.searchsorted(starts, at)) - 1
        if inside < 0 or ends[inside] < at:
            return at + 1
        end = int(starts[inside])
    return 0
