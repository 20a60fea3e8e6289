"""Blocks reach the device in order, and errors reach the caller with the thread at rest."""

import threading
import time
import traceback
from types import SimpleNamespace

import numpy as np
import pytest
from tests.devices.conftest import network, records

from solvenet.devices import Device, device_gram, get_device, on_device, regrouped
from solvenet.devices.stream import PinnedSlot, Reader, Slot
from solvenet.errors import InvalidDataError

STRICT = get_device("array_api_strict")


def readers():
    return [t for t in threading.enumerate() if t.name == "solvenet reader" and t.is_alive()]


@pytest.mark.parametrize("size", [1, 7, 600, 5000])
def test_rows_are_cut_and_joined_to_blocks_of_one_size(data, size):
    X, B, weights = (part[:900] for part in data)
    found = list(regrouped(records(X, B, weights, (0, 1, 250, 700)), size))
    assert [rows.stop - rows.start for rows, *_ in found[:-1]] == [size] * (len(found) - 1)
    for i, whole in enumerate((X, B, weights), start=1):
        assert np.array_equal(np.concatenate([part[i] for part in found]), whole)
    assert found[0][0].start == 0
    assert found[-1][0].stop == 900


def test_long_blocks_are_cut_without_a_copy(data):
    X, B, _ = data
    assert all(np.shares_memory(x, X) for _, x, _, _ in regrouped(records(X, B, cuts=(0,)), 100))


def test_a_gap_ends_a_block(data):
    X, B, weights = data
    rows = [(slice(0, 5), X[:5], B[:5], None), (slice(50, 60), X[50:60], B[50:60], weights[50:60])]
    assert [r[0] for r in regrouped(rows, 100)] == [slice(0, 5), slice(50, 60)]
    rows[1] = (slice(5, 10), X[5:10], B[5:10], weights[5:10])
    [joined] = regrouped(rows, 100)
    assert np.array_equal(joined[3], np.concatenate([np.ones(5), weights[5:10]]))


def test_a_block_of_another_shape_is_refused(data):
    X, B, _ = data
    with pytest.raises(InvalidDataError, match=r"rows 0 to 5 came with X of shape \(6, 4\)"):
        list(regrouped([(slice(0, 5), X[:6], B[:5], None)], 10))
    with pytest.raises(InvalidDataError, match="two-dimensional"):
        list(regrouped([(slice(0, 5), X[:5], B[:5, 0], None)], 10))


def test_a_reader_hands_on_everything_in_order(data):
    X, B, weights = data
    reader = Reader(regrouped(records(X, B, weights), 64), [Slot(STRICT), Slot(STRICT)])
    blocks = list(reader.blocks())
    reader.close()
    assert np.array_equal(np.concatenate([b.host_B for b in blocks]), B)
    assert [b.rows.start for b in blocks] == list(range(0, len(X), 64))
    assert not readers()


def test_a_reader_is_at_most_a_few_blocks_ahead(data):
    X, B, _ = data
    taken = []

    def source():
        for record in regrouped(records(X, B), 10):
            taken.append(record[0])
            yield record

    reader = Reader(source(), [Slot(STRICT), Slot(STRICT)])
    for number, _ in enumerate(reader.blocks()):
        time.sleep(0.001)
        assert len(taken) <= number + 4
        if number == 20:
            break
    reader.close()
    assert not readers()


def test_an_error_of_the_source_is_raised_with_its_place(data):
    X, B, _ = data
    closed = []

    def source_that_breaks():
        try:
            yield slice(0, 5), X[:5], B[:5], None
            message = "the disk is gone"
            raise OSError(message)
        finally:
            closed.append(threading.current_thread().name)

    reader = Reader(source_that_breaks(), [Slot(STRICT), Slot(STRICT)])
    with pytest.raises(OSError, match="the disk is gone") as caught:
        list(reader.blocks())
    reader.close()
    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert "source_that_breaks" in frames
    assert closed == ["solvenet reader"]
    assert not readers()


def test_an_error_of_the_caller_ends_the_thread_and_closes_the_source(data, monkeypatch):
    X, B, _ = data
    closed = []

    def source():
        try:
            yield from regrouped(records(X, B), 10)
        finally:
            closed.append(True)

    monkeypatch.setattr(Device, "is_accelerator", True)  # as where there is a GPU by CuPy

    def work():
        with on_device(source(), STRICT) as blocks:
            return [1 / (3 - number) for number, _ in enumerate(blocks)]

    with pytest.raises(ZeroDivisionError):
        work()
    assert closed
    assert not readers()


def test_a_source_that_ends_in_an_error_leaves_nothing_behind(device, data):
    X, B, _ = data

    def source():
        yield from records(X[:600], B[:600], None, (0, 300))
        raise KeyError(3)

    before = len(readers())
    with pytest.raises(KeyError):
        device_gram(source(), network(X), 2, center=True, device=device, rows_per_block=100)
    assert len(readers()) == before


@pytest.mark.gpu
def test_many_blocks_overtake_nothing_on_a_gpu(data):
    """Copies of later blocks run beside long work on earlier ones, and harm none of it."""
    torch = pytest.importorskip("torch", reason="needs the package torch")
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    gpu = get_device("cuda")
    X = np.arange(200_000.0).reshape(-1, 4)
    B = X[:, :1]
    busy = torch.randn(3000, 3000, device="cuda")
    with on_device(regrouped([(slice(0, len(X)), X, B, B[:, 0])], 500), gpu) as blocks:
        found = []
        for block in blocks:
            busy = torch.tanh(busy @ busy)
            found.append(torch.cat([block.X, block.B, block.weights[:, None]], dim=1))
    whole = gpu.to_numpy(torch.cat(found))
    assert np.array_equal(whole, np.concatenate([X, B, B], axis=1))


class FakeCuda:
    """Streams and events of CUDA, which note who waits for what."""

    def __init__(self):
        self.log = []
        self.main = self.Stream()
        self.main.log = self.log
        self.main.name = "main"
        self.inside = None

    class Stream:
        def __init__(self):
            self.name, self.log = "side", None

        def wait_event(self, event):
            self.log.append((self.name, "waits for", event))

        def wait_stream(self, other):
            self.log.append((self.name, "waits for stream", other.name))

    def Event(self):
        log = self.log

        class Event:
            def record(self, stream):
                log.append((stream.name, "marks", self))

            def synchronize(self):
                log.append(("host", "waits for", self))

        return Event()

    def current_stream(self, handle):
        return self.main

    def device(self, handle):
        return self.stream(None)

    def stream(self, stream):
        import contextlib

        return contextlib.nullcontext()


def test_no_memory_is_written_to_while_it_is_read(data, monkeypatch):
    """The two orders of the pinned slots, checked without a GPU on a record of the calls.

    Page-locked memory is filled only after its copy was waited for, and a buffer on the
    device is copied to only after the side stream was told to wait for the work on it.
    """
    torch = pytest.importorskip("torch", reason="needs the package torch")
    X, B, weights = data
    cuda = FakeCuda()
    log = cuda.log

    class Tensor:
        """Room on the host or on the device, which notes its copies."""

        def __init__(self, shape, dtype, place):
            self.values = np.full(shape, np.nan)
            self.shape, self.dtype, self.place = shape, dtype, place

        def numpy(self):
            return self.values

        def record_stream(self, stream):
            pass

        def __getitem__(self, key):
            part = Tensor((0,), self.dtype, self.place)
            part.values = self.values[key]
            return part

        def copy_(self, other, *, non_blocking):
            assert non_blocking
            log.append(("side", "copies", self.place))
            self.values[...] = other.values

    def empty(shape, dtype, device="host", pin_memory=False):
        assert pin_memory == (device == "host")
        return Tensor(tuple(shape), dtype, device)

    fake = SimpleNamespace(cuda=cuda, empty=empty, float64=torch.float64, float32=torch.float32)
    gpu = Device("torch", "cuda:0")
    gpu.__dict__["module"] = fake
    side = cuda.Stream()
    side.log = log
    slots = [PinnedSlot(gpu, side) for _ in range(2)]
    found = []
    reader = Reader(regrouped(records(X, B, weights), 200), slots)
    for block in reader.blocks():
        log.append(("main", "uses", block.rows.start // 200 % 2))
        found.append([part.values.copy() for part in (block.X, block.B, block.weights)])
    reader.close()
    for i, whole in enumerate((X, B, weights)):
        assert np.array_equal(np.concatenate([part[i] for part in found]), whole)

    for slot in slots:
        mine = [entry for entry in log if entry[2] in (slot._copied, slot._done)]
        # Per block: wait for the last copy, wait for the last use, mark the copy, have the
        # work wait for it, mark the use.
        order = [
            ("host", "waits for", slot._copied),
            ("side", "waits for", slot._done),
            ("side", "marks", slot._copied),
            ("main", "waits for", slot._copied),
            ("main", "marks", slot._done),
        ]
        # The thread may already wait for a copy when its use is marked.
        for step in order:
            assert mine.count(step) >= 3
        for who in ("side", "main"):
            wanted = [step for step in order if step[0] == who]
            theirs = [entry for entry in mine if entry[0] == who]
            assert theirs == wanted * (len(theirs) // 2)
    assert ("side", "waits for stream", "main") in log
