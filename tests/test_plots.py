"""Figures show the numbers that they are given."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

from solvenet import LSQR, QR, NormalEquations, plots
from solvenet.analysis import (
    ball_spectrum,
    project,
    relu_modes,
    relu_spectrum,
    uniform_biases,
    unit_spectrum,
)
from solvenet.errors import InvalidDataError, InvalidSettingError
from solvenet.linalg.regularization import SelectionCurve
from solvenet.solvers import History


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 40)) * np.logspace(0, -6, 40)
    return QR().solve(A, A[:, 0] + 0.1 * rng.standard_normal(200), alpha="auto")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_spectrum_shows_values_ridge_and_rank(result):
    ax = plots.plot_spectrum(result)
    s = result.singular_values
    curve = ax.lines[0]
    np.testing.assert_allclose(curve.get_ydata(), s / s[0])
    above = int((s > np.sqrt(result.alpha)).sum())
    assert 0 < above < 40
    assert f"rank {above} of 40" in legend(ax)
    level = np.sqrt(result.alpha) / s[0]
    assert ax.lines[1].get_ydata()[0] == pytest.approx(level)
    assert legend(ax)[0] == f"ridge: {level:.0e} of the largest"
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_spectrum_of_a_truncated_solution_shows_the_cutoff():
    A = np.diag(np.logspace(0, -9, 10))
    ax = plots.plot_spectrum(QR().solve(A, np.ones(10), rcond=1e-4))
    assert legend(ax) == ["cutoff: 1e-04 of the largest", "rank 4 of 10"]


def test_spectrum_that_was_not_kept_is_refused():
    rng = np.random.default_rng(0)
    result = NormalEquations(spectrum=False).solve(rng.random((50, 5)), rng.random(50), alpha=0.1)
    with pytest.raises(InvalidDataError, match=r"kept no spectrum .* QR, SVD or NormalEq"):
        plots.plot_spectrum(result)


def test_selection_marks_the_choice(result):
    ax = plots.plot_selection(result.curve)
    (choice,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert choice.get_xdata()[0] == result.curve.value
    assert choice.get_ydata()[0] == result.curve.score
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_selection_leaves_out_the_far_worse_end():
    values = np.logspace(-9, 0, 10)
    scores = np.array([1e6, 1e6, 1e6, 1e6, 5.0, 0.5, 0.1, 0.2, 0.9, 1.0])
    ax = plots.plot_selection(SelectionCurve("alpha", values, scores, 6, 100))
    assert ax.lines[0].get_xdata()[0] == values[2]


@pytest.mark.parametrize(("criterion", "name"), [("loo", "leave-one-out"), ("gcv", "cross-")])
def test_selection_says_what_chose(criterion, name):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((60, 8)), rng.standard_normal(60)
    result = QR().solve(A, b, rcond="auto", criterion=criterion)
    assert name in plots.plot_selection(result.curve).get_ylabel()


@pytest.mark.parametrize("given", ["result", "history"])
def test_convergence_shows_the_history(given):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((60, 8)), rng.standard_normal((60, 3))
    B[:, 1] = 0.0
    result = LSQR().solve(A, B)
    ax = plots.plot_convergence(result if given == "result" else result.history)
    norms, normal = result.history.residual_norms, result.history.normal_residual_norms
    assert len(ax.lines) == 4  # two targets that are not zero, two norms
    for line, wanted in zip(ax.lines, [*norms.T[::2], *normal.T[::2]], strict=True):
        np.testing.assert_allclose(line.get_ydata(), wanted / wanted[0])
        np.testing.assert_array_equal(line.get_xdata(), np.arange(len(norms)))
    assert legend(ax) == ["residual", "normal residual"]
    assert ax.get_yscale() == "log"
    assert ax.get_xlim() == (0, result.history.n_iterations)


def test_convergence_without_normal_residuals_or_iterations():
    ax = plots.plot_convergence(History(np.array([[2.0], [1.0], [0.0]])))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, 0.5, np.nan])
    assert legend(ax) == ["residual"]
    assert len(plots.plot_convergence(History(np.zeros((1, 2)))).lines) == 0
    with pytest.raises(InvalidDataError, match=r"made no iterations .* LSQR"):
        plots.plot_convergence(QR().solve(np.eye(3), np.ones(3)))


def test_predictions_are_drawn_on_equal_scales():
    y = np.linspace(-1, 5, 50)
    ax = plots.plot_predictions(y, y + 0.5, np.full(50, 0.2))
    offsets = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(offsets[:, 1] - offsets[:, 0], 0.5)
    assert ax.get_xlim() == ax.get_ylim()
    assert set(legend(ax)) == {"perfect", "two standard deviations"}


def test_many_predictions_are_thinned():
    y = np.random.default_rng(0).random(10_000)
    ax = plots.plot_predictions(y, y)
    assert 1000 <= len(ax.collections[-1].get_offsets()) <= 2000


def test_confusion_counts():
    true = np.array(["a", "a", "a", "b", "b"])
    predicted = np.array(["a", "a", "b", "b", "b"])
    ax = plots.plot_confusion(true, predicted, labels=["a", "b", "c"])
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (0, 0): "2",
        (1, 0): "1",
        (1, 1): "2",
    }
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    shade = ax.images[0].get_array()[..., 3]
    np.testing.assert_allclose(shade, [[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 0]])


def test_confusion_of_many_classes_has_no_numbers():
    labels = np.arange(20)
    assert len(plots.plot_confusion(labels, labels).texts) == 0


def test_calibration_points_are_shares_of_right_rows():
    confidence = np.repeat([0.6, 0.9], 100)
    right = np.r_[np.arange(100) < 55, np.arange(100) < 95]
    ax = plots.plot_calibration(confidence, right, n_bins=2)
    points = ax.lines[1]
    np.testing.assert_allclose(points.get_xdata(), [0.6, 0.9])
    np.testing.assert_allclose(points.get_ydata(), [0.55, 0.95])


def test_coverage_of_right_deviations_is_the_diagonal():
    error = np.random.default_rng(0).standard_normal(20_000)
    ax = plots.plot_coverage(error, np.zeros(20_000), np.ones(20_000))
    line = ax.lines[1]
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata(), atol=0.015)
    small = plots.plot_coverage(error, np.zeros(20_000), np.full(20_000, 0.5)).lines[1]
    assert small.get_ydata()[90] < 0.7


@pytest.mark.parametrize(("true", "predicted"), [([1.0], [1.0, 2.0]), ([], []), ([[1.0]], [[1.0]])])
def test_arrays_that_do_not_fit_are_refused(true, predicted):
    for plot in (plots.plot_predictions, plots.plot_confusion, plots.plot_calibration):
        with pytest.raises(InvalidDataError, match="two one-dimensional ones"):
            plot(true, predicted)


def test_given_axes_are_used(result):
    _, ax = plt.subplots()
    assert plots.plot_spectrum(result, ax) is ax
    assert len(plt.get_fignums()) == 1


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("solvenet.plots, solvenet.analysis", "matplotlib pandas polars pyarrow click rich torch"),
        # scikit-learn itself loads pandas and rich where they are installed.
        (
            "solvenet.report, solvenet.commands, solvenet.cli",
            "matplotlib polars click jinja2 torch",
        ),
    ],
)
def test_import_loads_no_figures_and_no_command_line(modules, heavy):
    code = f"import sys, {modules}; print(*set({heavy.split()}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_eigenvalues_show_slopes_and_counts():
    line, disk = relu_spectrum(60), ball_spectrum(2, degree=40)
    ax = plots.plot_eigenvalues({"d = 1": line, "d = 2": disk}, fit=(10, 60), thresholds=(1e-4,))
    shown = [drawn for drawn in ax.lines if drawn.get_marker() == "."]
    np.testing.assert_allclose(shown[0].get_ydata(), line.eigenvalues / line.eigenvalues[0])
    assert len(shown[1].get_ydata()) == disk.n_modes
    slopes = [f"d = {d}, slope {s.slope(10, 60):.2f}" for d, s in ((1, line), (2, disk))]
    assert legend(ax) == [*slopes, "0.0001: 6 modes"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    fitted = next(drawn for drawn in ax.lines if drawn.get_linestyle() == "--")
    (x0, x1), (y0, y1) = fitted.get_xdata(), fitted.get_ydata()
    assert np.log(y1 / y0) / np.log(x1 / x0) == pytest.approx(line.slope(10, 60))


def test_eigenvalues_leave_out_what_is_lost():
    spectrum = unit_spectrum(uniform_biases(40))
    ax = plots.plot_eigenvalues(spectrum, thresholds=(1e-40,))
    assert len(ax.lines[0].get_ydata()) == 39
    assert legend(ax) == ["1e-40"]
    assert plots.plot_eigenvalues(relu_spectrum(5)).get_legend() is None


def test_modes_are_drawn_by_number():
    modes = relu_modes(4)
    ax = plots.plot_modes(modes, which=(1, 3, 9))
    assert legend(ax) == ["k = 1", "k = 3"]
    x, y = ax.lines[1].get_data()
    np.testing.assert_array_equal(y, modes(x)[:, 2])
    with pytest.raises(InvalidSettingError, match="numbers from 1 to 4"):
        plots.plot_modes(modes, which=(5, 6))


def test_projection_shows_errors_and_what_tolerances_take():
    projection = project(lambda x: np.cos(6 * np.pi * x), relu_modes(30))
    ax = plots.plot_projection({"cos": projection}, tolerances=(0.1, 1e-9))
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), projection.relative_errors)
    needed = projection.needed(0.1)
    assert legend(ax) == ["cos", f"0.1: {needed} modes", "1e-09: more than 30 modes"]


@pytest.mark.parametrize("draw", [plots.plot_eigenvalues, plots.plot_projection])
@pytest.mark.parametrize("things", [{}, {"a": 3}, [1.0]])
def test_what_is_neither_spectrum_nor_projection_is_refused(draw, things):
    with pytest.raises(InvalidDataError, match="is wanted"):
        draw(things)
