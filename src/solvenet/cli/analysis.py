"""The commands that tell what a network can do before it is fitted, or what limits it after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from solvenet._validation import import_optional
from solvenet.cli.app import FILE, app, one_or_list
from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet.analysis import Diagnosis

__all__ = ["app", "diagnose", "plan"]


@app.command()
@click.argument("table", type=FILE, nargs=-1, required=True)
@click.option("-t", "--target", required=True, metavar="COL", help="Column to predict.")
@click.option("-m", "--model", type=FILE, metavar="MODEL", help="A saved model to look at.")
@click.option("--width", type=int, metavar="N", help="Units, without a model.  [default: 1000]")
@click.option("--activation", metavar="NAME", help="Of the units.  [default: relu]")
@click.option("--scale", type=float, help="Of the first layer's weights.  [default: 1]")
@click.option(
    "--precision",
    type=click.Choice(["float64", "float32", "float16", "bfloat16"]),
    help="Of the arithmetic.  [default: float64]",
)
@click.option("--gram", is_flag=True, default=None, help="Solved or trained by the Gram matrix.")
@click.option(
    "--tol", type=float, default=0.01, show_default=True, help="Error wanted, over the spread."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample of rows.")
@click.option(
    "--figure",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Draw the modes into FILE: .svg, .png or .pdf.",
)
def diagnose(
    table: tuple[Path, ...],
    target: str,
    model: Path | None,
    tol: float,
    seed: int,
    figure: Path | None,
    **described: Any,
) -> None:
    """Say what limits a network on TABLE: modes, precision, width, scale, noise, dimension.

    Without MODEL a network of one hidden layer is thought of, as the options describe it,
    before there is one. Prints the advice, the cause first.
    """
    from solvenet.analysis import NetworkSpec
    from solvenet.commands import diagnose_table

    given = {name: value for name, value in described.items() if value is not None}
    if model is not None and given:
        msg = f"--model and --{next(iter(given))} exclude each other: the model has its own."
        raise click.UsageError(msg)
    spec = None if model is not None else NetworkSpec(**given)
    found = diagnose_table(
        one_or_list(table), target, model=model, spec=spec, tol=tol, random_state=seed
    )
    click.echo(f"cause: {found.diagnosis.cause}")
    for finding in found.diagnosis.findings:
        click.echo(f"{finding.severity}: {finding.text}")
    if figure is not None:
        _draw(found.diagnosis, figure)


def _draw(diagnosis: Diagnosis, path: Path) -> None:
    """Write the figure of a diagnosis to a file, in the format of its name."""
    figures = import_optional("matplotlib.figure", extra="plots", purpose="A figure")
    from solvenet.plots import plot_reach

    figure = figures.Figure(figsize=(6, 4.5), layout="constrained")
    plot_reach(diagnosis, ax=figure.subplots())
    if path.suffix.lower().lstrip(".") not in figure.canvas.get_supported_filetypes():
        msg = f"{path.name} has no known format; a name that ends in .svg, .png or .pdf is wanted."
        raise InvalidSettingError(msg)
    figure.savefig(path)


@app.command()
@click.argument("table", type=FILE, nargs=-1, required=True)
@click.option("-t", "--target", required=True, metavar="COL", help="Column to predict: numbers.")
@click.option(
    "--tol", type=float, default=0.01, show_default=True, help="Error wanted, over the spread."
)
@click.option("--max-size", type=int, default=1000, show_default=True, help="Most units to try.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of sample and weights.")
def plan(table: tuple[Path, ...], target: str, tol: float, max_size: int, seed: int) -> None:
    """Propose the smallest networks that reach an error on TABLE, by trying them."""
    from solvenet.commands import plan_table

    click.echo(
        plan_table(one_or_list(table), target, tol=tol, max_size=max_size, random_state=seed)
    )
