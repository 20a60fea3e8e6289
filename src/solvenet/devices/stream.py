"""Rows on their way to a device: the next block is read and copied while one is computed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from solvenet.errors import InvalidDataError

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.devices.device import Device, DeviceArray

HostRows: TypeAlias = "tuple[slice, Array, Array, Array | None]"
"""``(rows, X, B, weights)``: numbers of consecutive rows, inputs, targets, weights or None."""

SLOTS = 2
"""Blocks that are on their way at the same time."""


@dataclass(frozen=True)
class DeviceRows:
    """A block of rows on a device.

    Attributes
    ----------
    rows : slice
        Numbers of the rows.
    X : array of shape (rows, n_inputs)
        Inputs on the device, float64 or float32; not to be written to.
    B : array of shape (rows, n_targets), float64
        Targets on the device.
    weights : array of shape (rows,), float64, or None
        Weights on the device.
    host_B, host_weights : array
        The same on the host.
    """

    rows: slice
    X: DeviceArray
    B: DeviceArray
    weights: DeviceArray | None
    host_B: Array
    host_weights: Array | None


def regrouped(records: Iterable[HostRows], n_rows: int) -> Iterator[HostRows]:
    """Yield the same rows in blocks of `n_rows`, of which the last may be shorter.

    Blocks that are too long are cut, which copies nothing, and short ones that follow each
    other are joined: results then do not depend on how a source cuts its rows.

    Parameters
    ----------
    records : iterable of (slice, X, B, weights)
        In the order of the rows; a gap ends a block.
    n_rows : int
        Rows of a block.
    """
    waiting: list[HostRows] = []
    n_waiting = 0
    for record in records:
        rows, X, B, weights = _checked(record)
        if waiting and rows.start != waiting[-1][0].stop:
            yield _joined(waiting)
            waiting, n_waiting = [], 0
        begin = 0
        while begin < len(X):
            end = min(len(X), begin + n_rows - n_waiting)
            part = slice(begin, end)
            here = slice(rows.start + begin, rows.start + end)
            waiting.append((here, X[part], B[part], None if weights is None else weights[part]))
            n_waiting += end - begin
            begin = end
            if n_waiting == n_rows:
                yield _joined(waiting)
                waiting, n_waiting = [], 0
    if waiting:
        yield _joined(waiting)


def _checked(record: HostRows) -> HostRows:
    rows, X, B, weights = record
    shapes = {len(X), len(B), rows.stop - rows.start}
    if weights is not None:
        shapes.add(len(weights))
    if len(shapes) > 1 or X.ndim != 2 or B.ndim != 2:
        msg = (
            f"A block of rows {rows.start} to {rows.stop} came with X of shape {X.shape}, "
            f"B of shape {B.shape} and {'no' if weights is None else len(weights)} weights; "
            "two-dimensional X and B and as many weights, all of these rows, are wanted."
        )
        raise InvalidDataError(msg)
    return record


def _joined(parts: list[HostRows]) -> HostRows:
    if len(parts) == 1:
        return parts[0]
    rows = slice(parts[0][0].start, parts[-1][0].stop)
    X, B = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    weighted = any(part[3] is not None for part in parts)
    weights = [np.ones(len(part[1])) if part[3] is None else part[3] for part in parts]
    return rows, X, B, np.concatenate(weights) if weighted else None


@contextmanager
def on_device(records: Iterable[HostRows], device: Device) -> Iterator[Iterator[DeviceRows]]:
    """Provide the blocks on a device, the next one on its way while one is used.

    Parameters
    ----------
    records : iterable of (slice, X, B, weights)
        Read in a thread of its own where the device computes beside the CPU; in a plain
        loop otherwise.
    device : Device
        Where they go.

    Yields
    ------
    iterator of DeviceRows
        A block's memory is used again once the next one is asked for and what was asked of
        the device until then is done. At most two blocks are ahead.

    Notes
    -----
    By torch on CUDA: the thread copies each block to page-locked memory; from there a
    stream of its own brings it to one of two buffers on the device, while the stream that
    computes is busy with the other. An error of the source is raised here, with its
    traceback; an error here ends the thread before it is raised further.
    """
    if not device.is_accelerator:
        yield (_plain(record, device) for record in records)
        return
    slots: list[Any]
    if device.is_torch_cuda:
        side = device.module.cuda.Stream(device=device.handle)
        slots = [PinnedSlot(device, side) for _ in range(SLOTS)]
    else:
        slots = [Slot(device) for _ in range(SLOTS)]
    reader = Reader(records, slots)
    try:
        yield reader.blocks()
    finally:
        reader.close()


def _plain(record: HostRows, device: Device) -> DeviceRows:
    rows, X, B, weights = record
    B = np.asarray(B, dtype=np.float64)
    weights = None if weights is None else np.asarray(weights, dtype=np.float64)
    return DeviceRows(
        rows,
        device.to_device(X, _input_dtype(X)),
        device.to_device(B),
        None if weights is None else device.to_device(weights),
        B,
        weights,
    )


def _input_dtype(X: Array) -> str:
    return "float32" if X.dtype == np.float32 else "float64"


class Slot:
    """Room for one block between the reader and the device."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._record: HostRows | None = None

    def fill(self, record: HostRows) -> None:
        """Take a block, in the reader's thread."""
        self._record = record

    def send(self) -> DeviceRows:
        """Return the block on the device; `fill` may be called again after this."""
        assert self._record is not None  # filled by the reader
        record, self._record = self._record, None
        return _plain(record, self._device)

    def used(self) -> None:
        """Note that everything that uses the block has been asked of the device."""


class _Buffer:
    """The same room twice: page-locked on the host, and on the device."""

    def __init__(self, torch: Any, shape: tuple[int, ...], dtype: str) -> None:
        self.pinned = torch.empty(shape, dtype=getattr(torch, dtype), pin_memory=True)
        self.view = self.pinned.numpy()
        self.there: Any = None  # made by the thread that computes, in the order of its work


class PinnedSlot(Slot):
    """Room for one block in page-locked memory, and its buffer on a CUDA device.

    Two orders must hold. The page-locked memory is written to only after the copy from it
    is done (`fill` waits for it), and the buffer on the device only after the work on the
    block that was there before is done (the side stream waits for it).
    """

    def __init__(self, device: Device, side: Any) -> None:
        super().__init__(device)
        self._cuda = device.module.cuda
        self._side = side
        self._buffers: dict[tuple[str, str, int], _Buffer] = {}
        self._filled: list[_Buffer] = []
        self._copied = self._cuda.Event()
        self._done = self._cuda.Event()

    def fill(self, record: HostRows) -> None:
        """Copy a block to page-locked memory, in the reader's thread."""
        self._copied.synchronize()  # the last copy from here; at once if there was none
        rows, X, B, weights = record
        B = np.asarray(B, dtype=np.float64)
        weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        with self._cuda.device(self._device.handle):
            self._filled = [self._put("X", X, _input_dtype(X)), self._put("B", B, "float64")]
            if weights is not None:
                self._filled.append(self._put("weights", weights[:, None], "float64"))
        self._record = (rows, X, B, weights)

    def _put(self, name: str, array: Array, dtype: str) -> _Buffer:
        key = (name, dtype, array.shape[1])
        buffer = self._buffers.get(key)
        if buffer is None or len(buffer.view) < len(array):
            buffer = self._buffers[key] = _Buffer(self._device.module, array.shape, dtype)
        buffer.view[: len(array)] = array
        return buffer

    def send(self) -> DeviceRows:
        """Start the copy to the device and have the work that follows wait for it."""
        assert self._record is not None  # filled by the reader
        rows, _, B, weights = self._record
        self._record = None
        n_rows, handle = rows.stop - rows.start, self._device.handle
        current = self._cuda.current_stream(handle)
        for buffer in self._filled:
            if buffer.there is None:
                pinned = buffer.pinned
                shape, dtype = pinned.shape, pinned.dtype
                buffer.there = self._device.module.empty(shape, dtype=dtype, device=handle)
                # The memory may have been that of work which is still under way.
                self._side.wait_stream(current)
            buffer.there.record_stream(self._side)
            buffer.there.record_stream(current)
        with self._cuda.stream(self._side):
            self._side.wait_event(self._done)
            for buffer in self._filled:
                buffer.there[:n_rows].copy_(buffer.pinned[:n_rows], non_blocking=True)
            self._copied.record(self._side)
        current.wait_event(self._copied)
        X, targets, *rest = (buffer.there[:n_rows] for buffer in self._filled)
        return DeviceRows(rows, X, targets, rest[0][:, 0] if rest else None, B, weights)

    def used(self) -> None:
        """Mark the point after which the buffer may be written to again."""
        self._done.record(self._cuda.current_stream(self._device.handle))


class Reader:
    """A thread that fills slots with the blocks of a source, ahead of their use.

    Parameters
    ----------
    records : iterable
        Read in the thread, and closed there if it can be.
    slots : list of Slot
        As many blocks are ahead at most.
    """

    def __init__(self, records: Iterable[HostRows], slots: list[Slot]) -> None:
        self._records = records
        self._free: SimpleQueue[Slot | None] = SimpleQueue()
        self._ready: SimpleQueue[Slot | BaseException | None] = SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="solvenet reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        source = iter(self._records)
        end: BaseException | None = None
        try:
            for record in source:
                slot = self._free.get()
                if slot is None or self._stopped.is_set():
                    return
                slot.fill(record)
                self._ready.put(slot)
        except BaseException as error:
            end = error
        finally:
            try:
                if hasattr(source, "close"):
                    source.close()
            except BaseException as error:
                end = end or error
            self._ready.put(end)

    def blocks(self) -> Iterator[DeviceRows]:
        """Yield the blocks; raise what the source raised."""
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            block = item.send()
            slot = item
            yield block
            slot.used()
            self._free.put(slot)

    def close(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self._free.put(None)
        self._thread.join()
