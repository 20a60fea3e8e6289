"""Files in the layouts of The Well and PDEBench, written here by hand."""

import numpy as np
import pytest

from solvenet.errors import InvalidDataError
from solvenet.operators import read_pairs, read_pdebench, read_well

h5py = pytest.importorskip("h5py", reason="needs the extra solvenet[disk]")
RNG = np.random.default_rng(0)
GRID = np.linspace(0, 1, 5), np.linspace(0, 2, 6)


@pytest.fixture
def well(tmp_path):
    path = tmp_path / "well.hdf5"
    data = {
        "t0": RNG.random((2, 3, 5, 6), dtype=np.float32),
        "t1": RNG.random((2, 3, 5, 6, 2), dtype=np.float32),
        "still": RNG.random((2, 5, 6), dtype=np.float32),
        "layered": RNG.random((2, 3, 6), dtype=np.float32),
    }
    with h5py.File(path, "w") as file:
        file.attrs["n_trajectories"] = 2
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = ["x", "y"]
        dimensions["time"] = [0.0, 0.1, 0.2]
        dimensions["x"], dimensions["y"] = GRID
        scalars = file.create_group("t0_fields")
        for name, key, sample, time, dims in (
            ("density", "t0", True, True, [True, True]),
            ("height", "still", True, False, [True, True]),
            ("depth", "layered", True, True, [False, True]),
        ):
            scalars[name] = data[key]
            scalars[name].attrs.update(
                {"sample_varying": sample, "time_varying": time, "dim_varying": dims}
            )
        file.create_group("t1_fields")["velocity"] = data["t1"]
        file.create_group("t2_fields")
        wall = file.create_group("boundary_conditions/walls")
        wall.attrs["bc_type"], wall.attrs["associated_dims"] = "WALL", ["x"]
        around = file.create_group("boundary_conditions/around")
        around.attrs["bc_type"], around.attrs["associated_dims"] = "PERIODIC", ["y"]
    return path, data


def test_the_well(well):
    path, data = well
    found = read_well(path)
    assert found.names == ("density", "depth", "height", "velocity_x", "velocity_y")
    assert found.fields.shape == (2, 3, 5, 5, 6)
    assert np.allclose(found.fields[:, :, 0], data["t0"])
    assert np.allclose(found.fields[:, :, 1], data["layered"][:, :, None])
    assert np.allclose(found.fields[:, 2, 2], data["still"])
    assert np.allclose(found.fields[:, :, 4], data["t1"][..., 1])
    assert found.periodic == (False, True)
    assert np.allclose(found.times, [0, 0.1, 0.2])
    a, u = found.pairs(step=2)
    assert np.array_equal(a, found.fields[:, 0])
    assert np.array_equal(u, found.fields[:, 2])
    assert len(found.pairs()[0]) == 4
    assert read_well(path, names=["velocity"]).names == ("velocity_x", "velocity_y")
    with pytest.raises(InvalidDataError, match="no field"):
        read_well(path, names=["pressure"])
    with pytest.raises(InvalidDataError, match="3 times"):
        found.pairs(start=2)


def test_pdebench_with_a_dataset_a_field(tmp_path):
    path = tmp_path / "bench.hdf5"
    nu, tensor = RNG.random((3, 5, 6)), RNG.random((3, 4, 5, 6))
    with h5py.File(path, "w") as file:
        file["nu"], file["tensor"] = nu, tensor
        file["x-coordinate"], file["y-coordinate"] = GRID
        file["t-coordinate"] = np.arange(5.0)
    found = read_pdebench(path)
    assert found.names == ("nu", "tensor")
    assert np.allclose(found.fields[:, 3, 0], nu)
    assert np.allclose(found.fields[:, :, 1], tensor)
    assert np.allclose(found.times, np.arange(4))
    with h5py.File(path, "a") as file:
        file["odd"] = np.ones((3, 4, 5, 5))
    with pytest.raises(InvalidDataError, match="odd of"):
        read_pdebench(path)
    assert read_pdebench(path, names=["tensor"]).names == ("tensor",)


def test_pdebench_with_a_group_a_run(tmp_path):
    path = tmp_path / "runs.h5"
    data = RNG.random((2, 3, 5, 6, 2), dtype=np.float32)
    with h5py.File(path, "w") as file:
        for i in range(2):
            file[f"000{i}/data"] = data[i]
            file[f"000{i}/grid/x"], file[f"000{i}/grid/y"] = GRID
            file[f"000{i}/grid/t"] = np.arange(3.0)
    found = read_pdebench(path)
    assert np.allclose(found.fields, np.moveaxis(data, -1, 2))
    assert found.names == ("field_0", "field_1")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["something"] = [1.0]
    for read in (read_well, read_pdebench):
        with pytest.raises(InvalidDataError, match="something"):
            read(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(InvalidDataError, match="damaged"):
        read_well(path)
    with pytest.raises(FileNotFoundError):
        read_well(tmp_path / "missing.h5")


def test_dictionaries_of_neuraloperator():
    x, y = RNG.random((4, 1, 8)), RNG.random((4, 2, 8))
    batches = [{"x": x[:3], "y": y[:3]}, {"x": x[3:], "y": y[3:]}]
    for given in (batches, iter(batches), {"x": x, "y": y}):
        a, u = read_pairs(given)
        assert np.array_equal(a, x)
        assert np.array_equal(u, y)
    with pytest.raises(InvalidDataError, match="no batch"):
        read_pairs([])
    with pytest.raises(InvalidDataError, match="Batch 1"):
        read_pairs([batches[0], {"x": x}])
