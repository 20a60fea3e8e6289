"""The report page in a real browser: complete, quiet, offline, and readable on a phone."""

import re
import shutil

import numpy as np
import pytest
from sklearn.datasets import load_digits

from solvenet import SampledNetworkClassifier, SampledNetworkRegressor, load, save
from solvenet.commands import fit_table
from solvenet.errors import InvalidDataError
from solvenet.report import Stage, write_report

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Report pages of a regression and of a classification, made by the main job."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    x = rng.random((2, 400))
    table = {"x": x[0], "a <b> & 'c'": x[1], "constant": np.ones(400)}
    table["y"] = np.sin(5 * x[0]) + x[1] + rng.normal(0, 0.2, 400)
    digits = load_digits()
    some = {f"pixel {at}": column[:600] for at, column in enumerate(digits.data.T)}
    some["digit"] = np.array([f"number {d}" for d in digits.target[:600]])
    return {
        name: fit_table(
            data, target, report=folder / f"{name}.html", hidden_layer_sizes=width, random_state=0
        )
        for name, data, target, width in [
            ("regression", table, "y", 150),
            ("classification", some, "digit", 100),
        ]
    }


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser):
    """Open a file; return the page, what its console said and what it asked for."""
    opened = []

    def visit(path, *, width=1100, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        opened.append(page)
        console, requests = [], []
        page.on("console", lambda message: console.append(message.text))
        page.on("pageerror", lambda error: console.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.resolve().as_uri(), wait_until="networkidle")
        return page, console, requests

    yield visit
    for page in opened:
        page.close()


FIGURES = {
    "regression": ["Predicted against true", "Are the standard deviations right?"],
    "classification": ["Confusion matrix", "Calibration"],
}


@pytest.mark.parametrize("name", FIGURES)
def test_page_is_complete_quiet_and_offline(pages, visit, name):
    page, console, requests = visit(pages[name].report)
    assert console == []
    assert [url for url in requests if not url.startswith("data:")] == [
        pages[name].report.resolve().as_uri()
    ]
    sections = ["advice", "predictions", "solve", "representation", "time", "settings"]
    for section in ["score", *sections]:
        assert page.locator(f"#{section}").is_visible()
    headings = page.locator("figure h3").all_inner_texts()
    solve = ["Spectrum of the features", "Leave-one-out curve", "What the modes represent"]
    assert headings == [*FIGURES[name], *solve]
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box["width"] > 250
        assert 0.5 < box["height"] / box["width"] < 1.2
    assert page.locator("table tr").count() > 20


@pytest.mark.parametrize("name", FIGURES)
def test_page_shows_the_numbers_of_the_fit(pages, visit, name):
    fit = pages[name]
    page, _, _ = visit(fit.report)
    text = page.locator("body").inner_text()
    assert f"{fit.score.value:.3f}" in page.locator("#score .tile").first.inner_text()
    assert f"{fit.score.low:.3f} to {fit.score.high:.3f}" in text
    for finding in fit.findings:
        assert finding.text in text
    for note in fit.notes:
        assert note in text
    assert "modes; the data need" in page.locator("#representation").inner_text()
    for stage in fit.stages:
        assert stage.name in page.locator("#time").inner_text()
    assert "MB" in page.locator("#time").inner_text()


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("name", FIGURES)
def test_page_fits_small_screens(pages, visit, name, width):
    page, _, _ = visit(pages[name].report, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_text_and_figures_follow_the_dark_scheme(pages, visit):
    lightness = "getComputedStyle(document.querySelector('{}')).{}.match(/\\d+/)[0] / 255"
    for scheme, dark in [("light", False), ("dark", True)]:
        page, _, _ = visit(pages["regression"].report, scheme=scheme)
        assert (page.evaluate(lightness.format("body", "backgroundColor")) < 0.3) == dark
        assert (page.evaluate(lightness.format("body", "color")) > 0.7) == dark
        assert (page.evaluate(lightness.format("figure svg text", "fill")) > 0.7) == dark


def test_names_in_a_page_are_unique_and_names_from_the_data_are_escaped(pages):
    html = pages["regression"].report.read_text()
    names = re.findall(r'\bid="([^"]+)"', html)
    figures = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(figures) == 5
    prefixes = [{name.split("-")[0] for name in re.findall(r'\bid="([^"]+)"', f)} for f in figures]
    assert all(len(prefix) == 1 for prefix in prefixes)
    assert len(set.union(*prefixes)) == 5
    assert len(names) > 50
    assert "<b> &" not in html


def test_advice_on_data_made_to_cause_it(tmp_path):
    rng = np.random.default_rng(0)
    table = {"x": rng.random(300), "y": rng.standard_normal(300)}
    fit = fit_table(table, "y", report=tmp_path / "r.html", hidden_layer_sizes=100)
    kinds = {finding.kind for finding in fit.findings}
    assert {"constant", "noisy target"} <= kinds

    flat = {"x": rng.random(600), "y": np.where(rng.random(600) < 0.02, "rare", "usual")}
    fit = fit_table(flat, "y", report=tmp_path / "r.html", hidden_layer_sizes=50)
    assert {"constant", "flat target"} <= {finding.kind for finding in fit.findings}

    few = {"x": np.tile(np.arange(5.0), 40), "y": np.tile(np.arange(5.0) ** 2 + 0.5, 40)}
    fit = fit_table(few, "y", report=tmp_path / "r.html", hidden_layer_sizes=60)
    assert "few pairs" in {finding.kind for finding in fit.findings}

    x = rng.random(400)
    shifted = {"x": x, "y": np.sin(8 * x)}, {"x": x[:99], "y": np.sin(8 * x[:99]) + 0.7}
    fit = fit_table(
        shifted[0], "y", valid=shifted[1], report=tmp_path / "r.html", hidden_layer_sizes=60
    )
    assert "shift" in {finding.kind for finding in fit.findings}

    table = {"x": rng.random(15_000), "z": rng.random(15_000)}
    table["y"] = table["x"] + rng.normal(0, 0.1, 15_000)
    fit = fit_table(
        table, "y", report=tmp_path / "r.html", hidden_layer_sizes=200, memory_limit="16MB"
    )
    kinds = {finding.kind for finding in fit.findings}
    assert {"memory", "rank"} <= kinds
    assert not {"constant", "shift", "few pairs", "few rows", "seeds"} & kinds


def test_arrays_and_bare_networks_have_reports_too(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.random((200, 2))
    y = np.sin(3 * X[:, 0])
    model = SampledNetworkRegressor(40, random_state=0).fit(X[:150], y[:150])
    found = write_report(
        tmp_path / "r.html", model, X[:150], y[:150], X[150:], y[150:], title="Mine",
        notes=["a note"], stages=[Stage("all", 1.5)],
    )  # fmt: skip
    html = (tmp_path / "r.html").read_text()
    assert "<h1>Mine</h1>" in html
    assert "a note" in html
    assert found.score.error < 1e-2
    assert found.numbers.rank <= 42
    # The curve's choice is the ridge of the network, to the spacing of the grid.
    assert 0.5 < found.curve.value / model.alpha_ < 2


def test_loaded_networks_have_no_report(tmp_path):
    X = np.random.default_rng(0).random((60, 2))
    y = (X[:, 0] > 0.5).astype(int)
    save(SampledNetworkClassifier(10, random_state=0).fit(X, y), tmp_path / "m.st")
    with pytest.raises(InvalidDataError, match="was loaded from a file"):
        write_report(tmp_path / "r.html", load(tmp_path / "m.st"), X, y, X, y)
    assert not (tmp_path / "r.html").exists()
