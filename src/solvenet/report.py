"""One self-contained HTML page that explains a fit."""

from __future__ import annotations

import io
import os
import platform
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from solvenet import plots
from solvenet._files import write_atomically
from solvenet._validation import import_optional
from solvenet.estimators.examination import Examination, Whole, examine

if TYPE_CHECKING:
    from solvenet._array_api import Array

_INK = "#010203"
"""Text and lines are drawn in this colour, which the page replaces by its own."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "solvenet",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


@dataclass(frozen=True)
class Stage:
    """A stage of the work.

    Attributes
    ----------
    name : str
        What was done.
    seconds : float
        How long it took.
    peak_bytes : int or None
        Largest memory of the process up to its end; None where it is not known.
    """

    name: str
    seconds: float
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Figure:
    """A figure of the page: a heading, inline SVG, and what to see in it."""

    name: str
    svg: str
    caption: str


def write_report(
    path: str | os.PathLike[str],
    model: Any,
    X: Any,
    y: Array,
    X_valid: Any,
    y_valid: Array,
    *,
    title: str = "A solved network",
    facts: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
    stages: Sequence[Stage] = (),
    whole: Whole | None = None,
    progress: Callable[[str], None] | None = None,
) -> Examination:
    """Diagnose a fitted model and write a page about it.

    Parameters
    ----------
    path : path
        The HTML file; replaced if it exists. It needs no other file and no network.
    model : SampledNetworkRegressor, SampledNetworkClassifier, or Pipeline ending in one
        Fitted to X and y in this process.
    X, y : table or array of n_rows rows, array of shape (n_rows,)
        What it was fitted to.
    X_valid, y_valid : likewise
        Rows that it has not seen.
    title : str, default="A solved network"
        Heading.
    facts : mapping of str to str, optional
        More rows for the table of settings.
    notes : sequence of str, optional
        What else the reader should know.
    stages : sequence of Stage, optional
        Time and memory to show beside those of the solver.
    whole : Whole, optional
        What the rows are a sample of; the page says so.
    progress : callable, optional
        Told the name of each step before it begins.

    Returns
    -------
    Examination
        The numbers of the page.

    Raises
    ------
    MissingExtraError
        matplotlib or Jinja2 is not installed.
    InvalidDataError
        The model was loaded from a file, or a table does not fit it.
    OSError
        The page cannot be written; a file that existed is as it was.

    Notes
    -----
    *Cost.* See :func:`solvenet.estimators.examination.examine`.
    """
    network = model[-1] if hasattr(model, "named_steps") else model
    if network is not model:
        X, X_valid = model[:-1].transform(X), model[:-1].transform(X_valid)
    found = examine(network, X, y, X_valid, y_valid, whole=whole, progress=progress)
    if progress is not None:
        progress("write report")
    page = render(
        found, network, title=title, facts=facts or {}, notes=notes, stages=stages,
        n_valid=len(y_valid) if whole is None else whole.n_valid,
        sample="" if whole is None else (
            f"The score is that of all {whole.n_valid:,} validation rows. All else on this page, "
            f"figures and advice, rests on a random sample: {len(y):,} of {whole.n_rows:,} "
            f"training rows, {len(y_valid):,} validation rows."
        ),
    )  # fmt: skip
    write_atomically(path, page.encode())
    return found


def render(
    found: Examination,
    network: Any,
    *,
    title: str,
    facts: Mapping[str, str],
    notes: Sequence[str],
    stages: Sequence[Stage],
    n_valid: int,
    sample: str = "",
) -> str:
    """Return the page as HTML; `sample` says what it rests on, if not on all rows."""
    jinja2 = import_optional("jinja2", extra="plots", purpose="A report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("solvenet").joinpath("templates", "report.html.j2").read_text("utf-8")
    template = environment.from_string(source)
    numbers = found.numbers
    return str(
        template.render(
            title=title,
            tiles=_tiles(found, network, n_valid),
            findings=found.findings,
            prediction_figures=_prediction_figures(found, network),
            representation=found.representation.findings,
            solve_figures=_solve_figures(found),
            stages=[*_with_share(stages)],
            solve_seconds=network.seconds_,
            plan=network.plan_,
            feature_megabytes=(numbers.feature_bytes or 0) / 1e6,
            settings=_settings(network) | dict(facts),
            solve=network.result_,
            notes=notes,
            sample=sample,
            seeds=found.seed_scores,
            score=found.score,
            loo=found.loo,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=version("solvenet"),
            machine=f"Python {platform.python_version()} on {platform.system()} "
            f"{platform.machine()}, {os.cpu_count()} CPU",
        )
    )


def _tiles(found: Examination, network: Any, n_valid: int) -> list[tuple[str, str, str]]:
    """Return heading, number and remark of the figures at the top."""
    score, numbers = found.score, found.numbers
    name = "R²" if score.name == "R^2" else "Accuracy"
    if score.name == "R^2":
        spread = float(found.y_true.std()) or 1.0
        second = (
            "Typical error",
            f"{score.error:.3g}",
            f"the target's spread is {spread:.3g}",
        )
    else:
        second = (
            "Calibration error",
            f"{numbers.calibration_error:.3f}",
            f"by chance up to {numbers.calibration_noise:.3f}",
        )
    return [
        (name, score.short, f"{score.interval} (95 %), {n_valid:,} validation rows"),
        second,
        ("Constant model", f"{score.constant:.3f}", "the score to beat"),
        ("Leave-one-out", found.loo.short, "exact, on the training rows"),
        (
            "Units",
            f"{network.n_units_[-1]:,}",
            f"{network.network_.n_parameters:,} parameters from {numbers.n_rows:,} rows",
        ),
        ("Fit", f"{sum(network.seconds_.values()):.2f} s", "sampling, features and solve"),
    ]  # fmt: skip


def _prediction_figures(found: Examination, network: Any) -> list[Figure]:
    if found.confidence is None:
        true, predicted, std = found.y_true, found.y_pred, found.std
        few = slice(None, None, -(-len(true) // 600))
        bars = None if std is None else std[few]
        scatter = draw(
            lambda ax: plots.plot_predictions(true[few], predicted[few], bars, ax=ax),
            size=(4.8, 4.6),
        )
        coverage = draw(
            lambda ax: plots.plot_coverage(true, predicted, std, ax=ax), size=(4.8, 4.6)
        )
        return [
            Figure(
                "Predicted against true",
                scatter,
                "On the dashed line predictions are exact; the bars show two predictive standard "
                "deviations.",
            ),
            Figure(
                "Are the standard deviations right?",
                coverage,
                "How many rows lie within their predicted interval. Below the dashed line the "
                "intervals are too narrow, above it too wide.",
            ),
        ]
    confusion = draw(
        lambda ax: plots.plot_confusion(
            found.y_true, found.y_pred, labels=_all_labels(found, network), ax=ax
        ),
        size=(4.8, 4.6),
    )
    calibration = draw(
        lambda ax: plots.plot_calibration(found.confidence, found.y_true == found.y_pred, ax=ax),
        size=(4.8, 4.6),
    )
    return [
        Figure(
            "Confusion matrix",
            confusion,
            "Rows by true and predicted class; the shade is the share of the true class.",
        ),
        Figure(
            "Calibration",
            calibration,
            "How often predictions are right against how sure they are, in groups of equally "
            "many rows, with two standard errors.",
        ),
    ]


def _all_labels(found: Examination, network: Any) -> list[Any]:
    known = list(network.classes_.tolist())
    return known + sorted({v for v in found.y_true.tolist() if v not in set(known)}, key=str)


def _solve_figures(found: Examination) -> list[Figure]:
    rows = found.spectrum_rows
    source = "" if rows == found.numbers.n_rows else f" From {rows:,} of the rows."
    return [
        Figure(
            "Spectrum of the features",
            draw(lambda ax: plots.plot_spectrum(found.spectrum, ax=ax), size=(5.2, 4.0)),
            "Directions above the dashed line shape the network; those below are damped by the "
            f"regularisation.{source}",
        ),
        Figure(
            "Leave-one-out curve",
            draw(lambda ax: plots.plot_selection(found.curve, ax=ax), size=(5.2, 4.0)),
            f"Exact error of predicting each of {found.curve.n_rows:,} rows without it, over the "
            "ridge. A wide valley means that the choice is safe.",
        ),
        Figure(
            "What the modes represent",
            draw(lambda ax: plots.plot_reach(found.representation, ax=ax), size=(5.2, 4.0)),
            "Singular values of the features on a sample of rows, and what the first modes leave "
            "of the targets (leave-one-out). Rounding hides the modes below each dotted line.",
        ),
    ]


def _with_share(stages: Sequence[Stage]) -> list[tuple[Stage, float]]:
    longest = max((stage.seconds for stage in stages), default=0.0) or 1.0
    return [(stage, 100.0 * stage.seconds / longest) for stage in stages]


def _settings(network: Any) -> dict[str, str]:
    shown = {name: repr(value) for name, value in network.get_params(deep=False).items()}
    return {"estimator": type(network).__name__} | shown


def draw(plot: Callable[[Any], Any], *, size: tuple[float, float]) -> str:
    """Return a figure as SVG that stands inside a page and takes its text colour.

    Parameters
    ----------
    plot : callable
        Draws on the axes that it is given.
    size : tuple of float
        Width and height in inches.

    Returns
    -------
    str
        An ``<svg>`` element without fixed size, external references or fonts.
    """
    matplotlib = import_optional("matplotlib", extra="plots", purpose="A report")
    figures = import_optional("matplotlib.figure", extra="plots", purpose="A report")
    target = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        # A figure of its own: pyplot and its windows are left alone.
        figure = figures.Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        plot(ax)
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) (?:width)="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) (?:height)="[^"]*"', r"\1", svg, count=1)
    # Names are unique in a document, and a page holds several figures.
    prefix = f"f{zlib.crc32(svg.encode()):08x}-"
    svg = re.sub(r'id="', f'id="{prefix}', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    return svg.replace(_INK, "currentColor")
