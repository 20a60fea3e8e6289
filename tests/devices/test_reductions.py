"""Sums on a device are those of NumPy: every weight, cut, centring and merge."""

import numpy as np
import pytest
from tests.devices.conftest import N_TARGETS, network, records

from solvenet.devices import (
    DeviceGram,
    DeviceSketch,
    device_gram,
    device_sketch,
    get_device,
    get_precision,
)
from solvenet.errors import UnsupportedProblemError
from solvenet.linalg.sketching import TILE, Gaussian, SparseSign
from solvenet.reductions import GramReduction, SketchReduction

U32, U64 = 2.0**-24, 2.0**-53


def on_host(features, X, B, weights, *, center=True):
    gram = GramReduction(features.n_features_out, B.shape[1], center=center)
    for rows, x, b, w in records(X, B, weights):
        gram.update(features(x), b, w, start=rows.start)
    return gram


def far_apart(found, wanted):
    """Return the largest difference of two sets of products, relative to their size."""
    out = 0.0
    for name in ("lower", "AB", "BB", "mean_A", "mean_B"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert a.shape == b.shape
        assert a.dtype == b.dtype == np.float64
        out = max(out, float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300)))
    return out


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("rows_per_block", [None, 1, 333])
def test_the_products_are_those_of_the_host(device, data, center, weighted, rows_per_block):
    X, B, weights = data if weighted else (*data[:2], None)
    if rows_per_block == 1:
        X, B, weights = X[:60], B[:60], None if weights is None else weights[:60]
    cuts = (0, 1, 700, 701) if len(X) > 701 else (0, 20)
    features = network(X, skip=0.5)
    found = device_gram(
        records(X, B, weights, cuts),
        features,
        N_TARGETS,
        center=center,
        device=device,
        rows_per_block=rows_per_block,
    )
    gram = GramReduction(features.n_features_out, N_TARGETS, center=center)
    gram.update(features(X), B, weights)
    assert np.isclose(found.weight, gram.weight, rtol=1e-14)
    assert far_apart(found.products(), gram.products()) < 1e-12


def test_more_columns_than_a_panel(device, data):
    X, B, weights = data
    features = network(X, widths=(1100,))
    rows = list(records(X[:300], B[:300], weights[:300], (0, 100)))
    found = device_gram(rows, features, N_TARGETS, center=True, device=device)
    gram = GramReduction(1100, N_TARGETS, center=True)
    gram.update(features(X[:300]), B[:300], weights[:300])
    products = found.products()
    assert far_apart(products, gram.products()) < 1e-12
    assert not np.triu(products.lower, 1).any()


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("where", ["device", "host", "other"])
def test_disjoint_rows_merge(device, data, center, where):
    """On the device, from two devices, and after both have come to the host."""
    X, B, weights = data
    features = network(X)
    halves = [(X[:600], B[:600], weights[:600]), (X[600:], B[600:] + 50.0, weights[600:])]
    places = [device, get_device("array_api_strict") if where == "other" else device]
    parts = [
        device_gram(records(*half, (0, 10)), features, N_TARGETS, center=center, device=place)
        for half, place in zip(halves, places, strict=True)
    ]
    whole = GramReduction(features.n_features_out, N_TARGETS, center=center)
    for x, b, w in halves:
        whole.update(features(x), b, w)
    empty = DeviceGram(features.n_features_out, N_TARGETS, center=center, device=device)
    parts[0].merge(empty)
    if where == "host":
        found = parts[0].reduction()
        found.merge(parts[1].reduction())
    else:
        empty.merge(parts[0])
        found = empty
        found.merge(parts[1])
    assert far_apart(found.products(), whole.products()) < 1e-11


def test_a_host_and_a_device_share_the_rows(device, data):
    X, B, weights = data
    features = network(X)
    here = GramReduction(features.n_features_out, N_TARGETS, center=True)
    here.update(features(X[:600]), B[:600], weights[:600])
    there = device_gram(
        records(X[600:], B[600:], weights[600:], (0,)),
        features,
        N_TARGETS,
        center=True,
        device=device,
    )
    here.merge(there.reduction())
    assert far_apart(here.products(), on_host(features, X, B, weights).products()) < 1e-12


def test_features_of_the_host_are_reduced_on_the_device(device, data):
    """The protocol of reductions: whoever has the matrix can hand it over."""
    X, B, weights = data
    features = network(X)
    there = DeviceGram(features.n_features_out, N_TARGETS, center=True, device=device)
    for rows, x, b, w in records(X, B, weights):
        there.update(features(x), b, w, start=rows.start)
    there.update(features(X[:0]), B[:0])
    assert far_apart(there.products(), on_host(features, X, B, weights).products()) < 1e-12
    assert there.nbytes >= 8 * features.n_features_out**2


def test_no_rows_are_no_products(device):
    empty = DeviceGram(3, 1, center=True, device=device).products()
    assert not empty.lower.any()
    assert empty.lower.shape == (3, 3)


@pytest.mark.parametrize("precision", ["mixed", "float32"])
@pytest.mark.parametrize("weighted", [True, False])
def test_products_in_float32_are_as_far_off_as_rounding_explains(device, data, precision, weighted):
    """|error| <= gamma |A|'|A| for any order of the sums, of the float32 features themselves.

    With b rows a block, gamma is (b + 4) u of float32, to which "float32" adds u for every
    block and "mixed" nothing but the rounding of float64.
    """
    X, B, weights = data if weighted else (*data[:2], None)
    features = network(X)
    b = 250
    gram = device_gram(
        records(X, B, weights),
        features,
        N_TARGETS,
        center=True,
        device=device,
        precision=precision,
        rows_per_block=b,
    )
    there = features.on(device, "float32")
    H = device.to_numpy(there(device.to_device(X))).astype(np.float64)
    reduction = gram.reduction()
    shift, root = reduction._shift_A, np.ones((len(X), 1))
    if weights is not None:
        root = np.sqrt(weights)[:, None]
    A = root * (H - shift)
    targets = root * np.column_stack([B - reduction._shift_B, np.ones(len(X))])
    n_blocks = -(-len(X) // b)
    gamma = (b + 8) * U32 + (n_blocks * U32 if precision == "float32" else 2 * n_blocks * U64)
    error = np.abs(np.tril(A.T @ A) - reduction._AA)
    assert (error <= gamma * (np.abs(A).T @ np.abs(A)) + 1e-30).all()
    error = np.abs(A.T @ targets - reduction._AB)
    assert (error <= gamma * (np.abs(A).T @ np.abs(targets)) + 1e-30).all()
    # Typical, not worst: the square root of the rows instead of the rows.
    size = np.sqrt(np.diagonal(A.T @ A))
    assert (
        np.abs(A.T @ A - np.tril(A.T @ A, -1).T - reduction._AA)[np.tril_indices(len(size))].max()
        < 1e-4 * size.max() ** 2
    )
    # Targets with themselves are summed on the host, in float64.
    exact = targets.T @ targets
    assert np.abs(reduction._BB - exact).max() <= 1e-13 * np.abs(exact).max()


def test_float64_sums_of_float32_products_do_not_drift(data):
    """A hundred blocks: the sum in float32 loses what the sum in float64 keeps."""
    device = get_device("array_api_strict")
    X, B, _ = data
    features = network(X, widths=(20,))
    errors = {}
    rows = [(slice(i * 1500, (i + 1) * 1500), X, B, None) for i in range(60)]
    exact = on_host(features, X, B, None).products().lower * 60
    for precision in ("mixed", "float32"):
        gram = device_gram(
            rows,
            features,
            N_TARGETS,
            center=True,
            device=device,
            precision=precision,
            rows_per_block=100,
        )
        errors[precision] = np.linalg.norm(gram.products().lower - exact)
    assert errors["mixed"] < 0.2 * errors["float32"]


def test_what_single_precision_resolves(device, data):
    """The error of the products stays far below the smallest ridge that is promised."""
    X, B, _ = data
    features = network(X, widths=(300,))
    found, wanted = (
        device_gram(
            records(X, B), features, N_TARGETS, center=True, device=device, precision=precision
        )
        .products()
        .gram()
        for precision in ("mixed", "float64")
    )
    largest = np.linalg.eigvalsh(wanted)[-1]
    error = np.abs(np.linalg.eigvalsh(found - wanted)).max()
    assert error < 0.2 * get_precision("mixed").resolution * largest


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("precision", ["float64", "mixed", "float32"])
def test_the_sketch_is_that_of_the_host(device, data, weighted, center, precision):
    """The same signs and places, though blocks begin and end within the tiles."""
    X, B, weights = data if weighted else (*data[:2], None)
    features = network(X)
    first = TILE - 500
    sketch = SparseSign(90, first + len(X), seed=3)
    host = SketchReduction(sketch, features.n_features_out, N_TARGETS, center=center)
    host.update(features(X), B, weights, start=first)
    shifted = [
        (slice(rows.start + first, rows.stop + first), *rest)
        for rows, *rest in records(X, B, weights)
    ]
    there = device_sketch(
        shifted,
        features,
        N_TARGETS,
        sketch,
        center=center,
        device=device,
        precision=precision,
        rows_per_block=640,
    )
    tolerance = 1e-13 if precision == "float64" else 1e-5
    for found, wanted in zip(there.sketched(), host.sketched(), strict=True):
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


def test_sketches_of_disjoint_rows_add_up(device, data):
    X, B, weights = data
    features = network(X)
    sketch = SparseSign(60, len(X), seed=1)
    rows = list(records(X, B, weights))
    options = {"center": True, "device": device}
    one, two, whole = (
        device_sketch(part, features, N_TARGETS, sketch, **options)
        for part in (rows[:2], rows[2:], rows)
    )
    other = device_sketch(
        rows[2:], features, N_TARGETS, sketch, center=True, device="array_api_strict"
    )
    host = one.reduction()
    host.merge(two.reduction())
    one.merge(other)
    for found in (one.sketched(), host.sketched()):
        for a, b in zip(found, whole.sketched(), strict=True):
            assert np.abs(a - b).max() <= 1e-13 * np.abs(b).max()
    assert whole.nbytes > 0


def test_another_kind_of_sketch_is_refused():
    with pytest.raises(UnsupportedProblemError, match=r"Gaussian has no form.*sparse_sign"):
        DeviceSketch(Gaussian(5, 10), 3, 1, center=True, device=get_device("array_api_strict"))
