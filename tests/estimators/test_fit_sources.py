"""Estimators learn from files as from arrays, and say which file is at fault."""

import os
import shutil

import numpy as np
import pytest

from solvenet import SampledFeatures, SampledNetworkClassifier, SampledNetworkRegressor
from solvenet.blocks import as_row_blocks
from solvenet.engine import run
from solvenet.errors import InvalidDataError
from solvenet.features import survey
from solvenet.sources import open_source, open_table

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
import pyarrow.parquet as pq  # noqa: E402

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")
N = 4000
X = RNG.random((N, 3))
Y = np.stack([np.sin(3 * X.sum(axis=1)), X[:, 0] ** 2], axis=1) + 0.1 * RNG.standard_normal((N, 2))
LABELS = np.array(["low", "middle", "high"])[np.digitize(Y[:, 0], [-0.5, 0.5])]
W = RNG.integers(0, 3, N).astype(float)


def write(folder, order=None, files=4, **changed):
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "u": Y[:, 0], "v": Y[:, 1]}
    columns |= {"label": LABELS, "w": W} | changed
    rows = np.arange(N) if order is None else order
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(np.array_split(rows, files)):
        table = pa.table({name: values[part] for name, values in columns.items()})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=300)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "rows")


@pytest.fixture(params=["few rows", "many rows"])
def size(request, monkeypatch):
    """Treat the rows as few, which are held, or as many, which are not."""
    if request.param == "many rows":
        for name, value in (("SAMPLE_ROWS", 1000), ("PAIR_ROWS", 500), ("FEWEST_ROWS", 100)):
            monkeypatch.setattr(survey, name, value)
        from solvenet.estimators import _base

        monkeypatch.setattr(_base, "PAIR_ROWS", 500)
        monkeypatch.setattr(run, "LEAST_ROWS", 128)
        monkeypatch.setattr(run, "LEAST_NUMBERS", 128)
        monkeypatch.setattr(run, "ROWS_PER_COLUMN", 1)
    return request.param


def regressor(**options):
    return SampledNetworkRegressor(30, random_state=0, **options)


@pytest.mark.usefixtures("size")
class TestSameNetwork:
    @pytest.mark.parametrize("weights", [None, W])
    def test_from_files_as_from_arrays(self, folder, weights):
        table = open_table(folder)
        source = open_source(table, columns=["a", "b", "c", "u", "v", "w"])
        held = regressor().fit(X, Y, weights)
        if weights is None:
            source = source.columns(np.arange(5))
        read = regressor().fit(source, ["u", "v"], None if weights is None else "w")
        assert read.feature_names_in_.tolist() == ["a", "b", "c"]
        assert read.n_features_in_ == 3
        assert np.isclose(read.alpha_, held.alpha_, rtol=1e-6)
        assert np.allclose(read.predict(folder), held.predict(X), atol=1e-7)
        assert np.isclose(read.result_.n_rows, held.result_.n_rows)

    def test_classes_of_text(self, folder):
        inputs = ["a", "b", "c", "label"]
        held = SampledNetworkClassifier(30, random_state=0).fit(X, LABELS)

        class Narrow(type(open_table(folder))):
            @property
            def names(self):
                return tuple(inputs)

            @names.setter
            def names(self, value):
                pass

        read = SampledNetworkClassifier(30, random_state=0).fit(Narrow(folder), "label")
        assert read.classes_.tolist() == held.classes_.tolist()
        assert np.allclose(read.predict_proba(folder), held.predict_proba(X), atol=1e-5)
        weighted = SampledNetworkClassifier(30, random_state=0, class_weight="balanced")
        proba = weighted.fit(Narrow(folder), "label").predict_proba(X[:50])
        assert np.allclose(proba, weighted.fit(X, LABELS).predict_proba(X[:50]), atol=1e-5)

    def test_the_order_of_the_rows_does_not_matter(self, folder, tmp_path):
        shuffled = write(tmp_path / "rows", RNG.permutation(N), files=7)
        found = [
            regressor().fit(open_source(open_table(f), columns=["a", "b", "c", "u"]), "u")
            for f in (folder, shuffled)
        ]
        assert np.allclose(*(m.predict(X) for m in found), atol=1e-6)

    @pytest.mark.parametrize("engine", ["serial", "threads", "processes"])
    def test_every_engine_gives_the_same_bits(self, folder, engine):
        source = open_source(open_table(folder), columns=["a", "b", "c", "u"])
        expected = regressor().fit(source, "u", engine="serial")
        found = regressor().fit(source, "u", engine=engine)
        assert found.coef_.tobytes() == expected.coef_.tobytes()
        assert found.alpha_ == expected.alpha_

    def test_isotropic_scaling_reaches_the_farthest_row(self, folder):
        source = open_source(open_table(folder), columns=["a", "b", "c", "u"])
        found = regressor(scaling="isotropic").fit(source, "u")
        held = regressor(scaling="isotropic").fit(X, Y[:, 0])
        assert np.isclose(found.hidden_.scaling.radius, held.hidden_.scaling.radius, rtol=1e-9)

    def test_features_of_files(self, folder):
        source = open_source(open_table(folder), columns=["a", "b", "c"])
        found = SampledFeatures(20, random_state=0).fit(source)
        held = SampledFeatures(20, random_state=0).fit(X)
        assert np.allclose(found.transform(source), held.transform(X), atol=1e-7)

    def test_predictions_of_files_need_the_inputs_alone(self, folder):
        model = regressor().fit(X, Y[:, 0])
        with pytest.raises(InvalidDataError, match=r"label.*text"):
            model.predict(folder)  # without names all columns are inputs
        source = as_row_blocks(X, rows_per_block=100)
        assert np.array_equal(model.predict(source), model.predict(X))
        std = model.predict(source, return_std=True)[1]
        assert np.allclose(std, model.predict(X, return_std=True)[1])


class TestBadFiles:
    """A clear error names file and part; nothing is skipped."""

    def fit(self, folder):
        source = open_source(open_table(folder), columns=["a", "b", "c", "u"])
        return regressor().fit(source, "u")

    @pytest.mark.parametrize("engine", ["serial", "threads", "processes"])
    @pytest.mark.usefixtures("size")
    def test_a_corrupt_row_group_in_the_middle(self, folder, tmp_path, engine):
        shutil.copytree(folder, tmp_path / "rows")
        path = tmp_path / "rows/2.parquet"
        start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
        raw = bytearray(path.read_bytes())
        raw[start : start + 40] = b"\xff" * 40
        path.write_bytes(bytes(raw))
        source = open_source(open_table(tmp_path / "rows"), columns=["a", "b", "c", "u"])
        with pytest.raises(InvalidDataError, match=r"2\.parquet.*row group 1"):
            regressor().fit(source, "u", engine=engine)

    def test_a_column_missing_in_one_file(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "rows")
        path = tmp_path / "rows/1.parquet"
        pq.write_table(pq.read_table(path).drop_columns(["b"]), path)
        with pytest.raises(InvalidDataError, match=r"1\.parquet.*'b'|'b'.*1\.parquet"):
            self.fit(tmp_path / "rows")

    def test_another_type_in_one_file(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "rows")
        path = tmp_path / "rows/3.parquet"
        table = pq.read_table(path)
        at = table.column_names.index("b")
        text = pa.array([str(v) for v in table["b"].to_pylist()])
        pq.write_table(table.set_column(at, "b", text), path)
        with pytest.raises(InvalidDataError, match=r"3\.parquet"):
            self.fit(tmp_path / "rows")

    def test_another_order_of_the_columns_is_no_error(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "rows")
        path = tmp_path / "rows/3.parquet"
        table = pq.read_table(path)
        pq.write_table(table.select(table.column_names[::-1]), path)
        expected = self.fit(folder).predict(X[:50])
        assert np.allclose(self.fit(tmp_path / "rows").predict(X[:50]), expected, atol=1e-8)

    @pytest.mark.usefixtures("size")
    def test_rows_that_change_between_two_passes(self, folder, tmp_path, request):
        if "few rows" in request.node.name:
            pytest.skip("few rows are read once")
        shutil.copytree(folder, tmp_path / "rows")
        path, passes = tmp_path / "rows/1.parquet", []

        def change(*step):
            if step[1] == step[2] and not passes:  # the survey is done
                passes.append(step[0])
                os.utime(path, ns=(1, 1))

        from solvenet.engine import Run, SerialEngine

        source = open_source(open_table(tmp_path / "rows"), columns=["a", "b", "c", "u"])
        with pytest.raises(InvalidDataError, match=r"1\.parquet.*changed"):
            regressor().fit(source, "u", engine=Run(SerialEngine(), progress=change))
        assert passes == ["survey"]

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_missing_or_infinite_value(self, folder, tmp_path, value):
        bad = X[:, 1].copy()
        bad[2345] = value
        write(tmp_path / "rows", b=bad)
        with pytest.raises(InvalidDataError, match=r"'b'.*2\.parquet.*row group 1"):
            self.fit(tmp_path / "rows")

    def test_no_permission(self, folder, monkeypatch):
        import builtins
        import io

        opened = io.open

        def refused(file, *args, **options):
            if str(file).endswith("2.parquet"):
                raise PermissionError(13, "Permission denied", str(file))
            return opened(file, *args, **options)

        monkeypatch.setattr(builtins, "open", refused)
        monkeypatch.setattr(io, "open", refused)
        with pytest.raises(PermissionError, match=r"2\.parquet"):
            self.fit(folder)

    @pytest.mark.parametrize(
        ("y", "options", "message"),
        [
            ("price", {}, r"no column 'price'"),
            (["u", "price"], {}, r"no column 'price'"),
            ("u", {"sample_weight": "price"}, r"no column 'price'"),
            ("u", {}, r"'label' \(text\)"),
            (np.ones(7), {}, "label"),
        ],
    )
    def test_columns_that_are_not_there_or_not_numbers(self, folder, y, options, message):
        with pytest.raises(InvalidDataError, match=message):
            regressor().fit(folder, y, **options)

    def test_no_target(self, folder):
        with pytest.raises(InvalidDataError, match="No target was given"):
            regressor().fit(open_source(open_table(folder), columns=["a", "b"]), None)

    def test_a_classifier_of_a_continuous_target(self, folder):
        source = open_source(open_table(folder), columns=["a", "b", "c", "u"])
        with pytest.raises(ValueError, match="Unknown label type"):
            SampledNetworkClassifier(10).fit(source, "u")
