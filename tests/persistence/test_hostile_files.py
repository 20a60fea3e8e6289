"""Altered, truncated and hostile files are refused, by one exception with a clear message."""

import hashlib
import json
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor, load, save
from solvenet.errors import ModelFileError
from solvenet.persistence import container

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = np.sin(X.sum(axis=1))
LABELS = np.array(["low", "mid", "high"])[np.digitize(Y, [-0.4, 0.4])]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A small valid file as bytes."""
    path = tmp_path_factory.mktemp("raw") / "model.safetensors"
    save(SampledNetworkRegressor(3, random_state=0).fit(X, Y), path)
    return path.read_bytes()


def refused(raw, folder, match=None):
    path = folder / "bad.safetensors"
    path.write_bytes(raw)
    with pytest.raises(ModelFileError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


def forged(raw, change):
    """Return a file with a valid checksum whose document and arrays were changed."""
    document, arrays = container.unpack(raw)
    change(document, arrays)
    return container.pack(document, arrays)


# -- altered files ---------------------------------------------------------------------

corruption = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@corruption
@given(data=st.data())
def test_no_byte_can_change(data, raw, tmp_path):
    at = data.draw(st.integers(0, len(raw) - 1) | st.integers(0, 200))
    bits = data.draw(st.integers(1, 255))
    refused(raw[:at] + bytes([raw[at] ^ bits]) + raw[at + 1 :], tmp_path)


@corruption
@given(data=st.data())
def test_no_end_can_be_missing_or_added(data, raw, tmp_path):
    keep = data.draw(st.integers(0, len(raw) - 1))
    refused(raw[:keep], tmp_path)
    refused(raw + data.draw(st.binary(min_size=1, max_size=20)), tmp_path)


@corruption
@given(content=st.binary(max_size=300))
def test_noise_is_refused(content, raw, tmp_path):
    refused(content, tmp_path)
    refused(raw[: container._DIGEST.start] + content, tmp_path)


def test_every_byte_of_the_header_counts(raw, tmp_path):
    length = 8 + int.from_bytes(raw[:8], "little")
    for at in range(0, length, 7):
        refused(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], tmp_path)


# -- hostile files ---------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_pickles_are_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(pickle.dumps([Bomb()] * 50), tmp_path, "not a model file of solvenet")
    assert not Path("exploded").exists()


def test_huge_headers_are_not_read(raw, tmp_path):
    for length in (2**63, container.MAX_HEADER + 8, len(raw), 10):
        refused(length.to_bytes(8, "little") + raw[8:], tmp_path, "header claims")


def resealed(header):
    """Return a file of this header text alone, with the right checksum."""
    content = bytearray(len(header).to_bytes(8, "little") + header)
    content[container._DIGEST] = container._digest(content)
    return bytes(content)


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "7" * 5000,
        "null",
        "[]",
        "{}",
        '{"column_major": [], "format": NaN}',
        '{"column_major": 1}',
        "\ud800",
    ],
    ids=lambda text: text[:20].encode("ascii", "backslashreplace").decode(),
)
def test_documents_of_any_kind_are_refused(document, tmp_path):
    meta = json.dumps({"sha256": "0" * 64, "document": document}, separators=(",", ":"))
    refused(resealed(b'{"__metadata__":' + meta.encode() + b"}"), tmp_path)
    refused(resealed(container._START + b"0" * 64 + b'","document":"{}"}' + b"," * 3), tmp_path)
    refused(resealed(container._START + b"0" * 64 + b'","a":' + b"[" * 100_000), tmp_path)


def test_offsets_that_overlap_are_refused(tmp_path):
    header = {
        "__metadata__": {"sha256": "0" * 64, "document": '{"column_major": []}'},
        "a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
        "b": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    content = bytearray(len(text).to_bytes(8, "little") + text + bytes(8))
    content[container._DIGEST] = container._digest(content)
    refused(bytes(content), tmp_path, "no intact safetensors file")


def put(where, value):
    """Return a change of one entry of the document, by its path."""

    def change(document, arrays):
        *path, last = (int(key) if key.isdecimal() else key for key in where.split("/"))
        for key in path:
            document = document[key]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("where", "value", "match"),
    [
        ("format", "something else", "format is"),
        ("format_version", 2, "Update"),
        ("model/class", "os.system", "names the class"),
        ("model/class", ["Pipeline"], "damaged"),
        ("model/class", "SampledNetworkClassifier", "damaged"),
        ("model/class", "SampledFeatures", "damaged"),
        ("model/class", "Pipeline", "damaged"),
        ("model/class", "TableEncoder", "damaged"),
        ("model/parameters/surprise", 1, "damaged"),
        ("model/parameters/solver", {"settings": ["Popen", {"args": "ls"}]}, "damaged"),
        ("model/parameters/solver", {"settings": ["QR", {"surprise": 1}]}, "damaged"),
        ("model/parameters/alpha", {"number": "1e5"}, "damaged"),
        ("model/parameters/alpha", {"eval": "1"}, "damaged"),
        ("model/parameters/alpha", {}, "damaged"),
        ("model/alpha", "1", "damaged"),
        ("model/hidden/n_features_in", 2, "has shape"),
        ("model/hidden/n_features_in", True, "damaged"),
        ("model/hidden/layers", [], "no layers"),
        ("model/hidden/layers", None, "damaged"),
        ("model/hidden/skip", 0.0, "has shape"),
        ("model/hidden/skip", None, "damaged"),
        ("model/hidden/radius", {}, "damaged"),
        ("model/hidden/layers/0", {"units": 3, "activation": ["exec", 1.0, 1.0]}, "damaged"),
        ("model/readout/n_targets", 2, "has shape"),
        ("model/readout/n_rows", 0, "no rows"),
        ("model/feature_names", ["a"], "names of the columns"),
        ("model/feature_names", [1, 2, 3], "names of the columns"),
        ("model/feature_names", {"a": 1, "b": 2, "c": 3}, "names of the columns"),
        ("model/feature_names", ["a", "b", "a"], "names of the columns"),
    ],
)
def test_forged_documents_are_refused(where, value, match, raw, tmp_path):
    refused(forged(raw, put(where, value)), tmp_path, match)


def test_numbers_that_overflow_are_refused(raw, tmp_path):
    # pack would not write it: infinity, as the literal that JSON readers make it from.
    content = bytearray(forged(raw, put("model/alpha", 1234567)).replace(b"1234567", b"1e40000"))
    content[container._DIGEST] = container._digest(content)
    refused(bytes(content), tmp_path, "damaged")


def places(value, path=""):
    """Return the paths of everything in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield f"{path}{key}"
        if isinstance(item, dict | list):
            yield from places(item, f"{path}{key}/")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["tuple", "dict", "array", "settings", "x"]), inner)
    ),
    max_leaves=5,
)


@corruption
@given(data=st.data())
def test_a_forged_document_is_refused_or_gives_a_model(data, raw, tmp_path):
    where = data.draw(st.sampled_from(sorted(places(container.unpack(raw)[0]))))
    value = data.draw(JSON.filter(lambda value: "inf" not in json.dumps(value).lower()))
    path = tmp_path / "forged"
    path.write_bytes(forged(raw, put(where, value)))
    try:
        model = load(path)
    except ModelFileError:
        return
    with warnings.catch_warnings():
        # Other names of the columns make another model, and scikit-learn says so.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        assert model.predict(X).shape[0] == len(X)


@pytest.mark.parametrize("name", ["layers.0.weights", "readout.coef", "scaling.center"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_are_finite(name, bad, raw, tmp_path):
    def change(document, arrays):
        arrays[name].flat[0] = bad

    refused(forged(raw, change), tmp_path, f"{name} holds numbers")


@pytest.mark.parametrize(
    "name", ["layers.0.weights", "layers.0.biases", "readout.intercept", "readout.root",
             "scaling.low", "scaling.mean", "readout.high", "readout.noise_variance"],
)  # fmt: skip
def test_arrays_are_all_there_in_their_shapes(name, raw, tmp_path):
    def shorten(document, arrays):
        arrays[name] = arrays[name][:-1]

    def drop(document, arrays):
        del arrays[name]

    def rename(document, arrays):
        arrays[name + "x"] = arrays.pop(name)

    def flatten(document, arrays):
        arrays[name] = arrays[name][None]

    for change in (shorten, drop, rename, flatten):
        refused(forged(raw, change), tmp_path)


def test_labels_cannot_claim_memory(tmp_path):
    save(SampledNetworkClassifier(5, random_state=0).fit(X, LABELS), tmp_path / "model")
    raw = (tmp_path / "model").read_bytes()
    for dtype in ("U1000000000", "V1000000000", "M8[ns]", "nonsense"):
        refused(forged(raw, put("model/classes/dtype", dtype)), tmp_path)
    for values in (["a"], ["a", "a", "b"], [1, 2, 3], [["a"], ["b"], ["c"]], "abc", None):
        refused(forged(raw, put("model/classes/values", values)), tmp_path)


def test_the_checksum_is_that_of_the_whole_file(raw):
    place = container._DIGEST
    blank = raw[: place.start] + b"0" * 64 + raw[place.stop :]
    assert hashlib.sha256(blank).hexdigest().encode() == raw[place]
