"""The container of a model file: arrays and one JSON document under a checksum.

A safetensors file, which any safetensors reader opens. Its metadata begin, at a fixed
place, with the SHA-256 of the whole file (taken with zeros in that place), so that not a
byte can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import safetensors

from solvenet.errors import InvalidDataError, ModelFileError

if TYPE_CHECKING:
    from solvenet._array_api import Array

MAX_HEADER = 50_000_000
"""Bytes of a header; safetensors itself stops at twice as many."""

_START = b'{"__metadata__":{"sha256":"'
_DIGEST = slice(8 + len(_START), 8 + len(_START) + 64)
_DTYPES: dict[str, np.dtype[Any]] = {"F64": np.dtype("<f8"), "F32": np.dtype("<f4")}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


def require(condition: bool, what: str) -> None:
    """Refuse a file of which `what` is true unless the condition holds.

    Raises
    ------
    ModelFileError
        The condition does not hold.
    """
    if not condition:
        msg = f"{what}. Get an intact copy, or save the model again."
        raise ModelFileError(msg)


def pack(document: dict[str, Any], arrays: dict[str, Array]) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    document : dict
        Plain JSON values.
    arrays : dict of str to array
        float64 or float32, finite or not.

    Returns
    -------
    bytes
        The same for the same model, always.

    Raises
    ------
    InvalidDataError
        An array of another dtype, or a document above `MAX_HEADER` bytes.
    """
    # The product of two matrices may depend on their memory order in the last digit.
    columns = sorted(n for n, a in arrays.items() if a.ndim == 2 and a.strides[0] < a.strides[1])
    text = json.dumps(document | {"column_major": columns}, sort_keys=True, allow_nan=False)
    header: dict[str, Any] = {"__metadata__": {"sha256": "0" * 64, "document": text}}
    chunks = []
    end = 0
    for name, array in sorted(arrays.items()):
        code = _CODES.get(array.dtype)
        if code is None:
            msg = f"{name} has dtype {array.dtype}; float64 or float32 is wanted."
            raise InvalidDataError(msg)
        chunks.append(array.tobytes())
        start, end = end, end + len(chunks[-1])
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [start, end]}
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    if len(head) > MAX_HEADER:
        msg = (
            f"The names and settings of the model take {len(head)} bytes; at most {MAX_HEADER} "
            "can be stored. Use shorter names of the columns."
        )
        raise InvalidDataError(msg)
    raw = bytearray(len(head).to_bytes(8, "little") + head)
    for chunk in chunks:
        raw += chunk
    raw[_DIGEST] = _digest(raw)
    return bytes(raw)


def unpack(raw: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the document and the arrays of the bytes of a file.

    Raises
    ------
    ModelFileError
        The checksum does not fit, or the content is no container.
    """
    require(raw[_DIGEST] == _digest(raw), "its checksum does not fit: it was altered")
    length = int.from_bytes(raw[:8], "little")
    document = json.loads(_json(raw[8 : 8 + length])["__metadata__"]["document"])
    try:
        tensors = safetensors.deserialize(raw)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        msg = f"it is no intact safetensors file ({error})."
        raise ModelFileError(msg) from error
    arrays: dict[str, Array] = {}
    for name, tensor in tensors:
        dtype = _DTYPES.get(tensor["dtype"])
        require(dtype is not None, f"its array {name} has dtype {tensor['dtype']}")
        array = np.frombuffer(tensor["data"], dtype=dtype).reshape(tensor["shape"])
        # A copy of its own, in the order that the model had.
        columns = name in document["column_major"]
        arrays[name] = np.array(array, order="F" if columns else "C")
    return document, arrays


def read(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a model file; read no more than its header until its size fits.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        No model file, or a truncated one.
    """
    path = Path(path)
    if not path.exists():
        msg = f"There is no model file {path}. Check the path."
        raise FileNotFoundError(msg)
    if not path.is_file():
        msg = "it is not a regular file. Give the path of a file that solvenet.save wrote."
        raise ModelFileError(msg)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = _header(file, size)
        # What the header promises is known before a byte of the data is read.
        ends = [8 + len(head)]
        ends += [
            ends[0] + entry["data_offsets"][1]
            for name, entry in _json(head).items()
            if name != "__metadata__"
        ]
        promise = f"it has {size} bytes where its header promises {max(ends)}"
        require(size == max(ends), f"{promise}: it is truncated or altered")
        return len(head).to_bytes(8, "little") + head + file.read(size)


def _header(file: BinaryIO, size: int) -> bytes:
    start = file.read(_DIGEST.stop)
    require(len(start) == _DIGEST.stop, f"it has only {len(start)} bytes: it is truncated")
    if not start[8:].startswith(_START):
        msg = "it is not a model file of solvenet. Give a file that solvenet.save wrote."
        raise ModelFileError(msg)
    length = int.from_bytes(start[:8], "little")
    fits = _DIGEST.stop - 8 <= length <= min(MAX_HEADER, size - 8)
    require(fits, f"its header claims {length} bytes of {size}: it is truncated or altered")
    return start[8:] + file.read(length - (_DIGEST.stop - 8))


def _json(text: bytes) -> dict[str, Any]:
    value = json.loads(text)
    require(isinstance(value, dict), "its header is not a JSON object")
    return value  # type: ignore[no-any-return]


def _digest(raw: bytes | bytearray) -> bytes:
    """Return the SHA-256 of everything but the place of the digest, as 64 characters."""
    view = memoryview(raw)
    total = hashlib.sha256(view[: _DIGEST.start])
    total.update(b"0" * 64)
    total.update(view[_DIGEST.stop :])
    return total.hexdigest().encode()
