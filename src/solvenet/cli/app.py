"""The commands and their options."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from solvenet.errors import SolvenetError

if TYPE_CHECKING:
    from solvenet.commands import Progress

# The commands import what they need when they run, so that --help is quick.

_FILE = click.Path(path_type=Path)


class _App(click.Group):
    """A group whose commands report known errors in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise _failure(error) from error
        except (SolvenetError, ValueError, MemoryError) as error:
            raise _failure(error) from error


class _Failure(click.ClickException):
    exit_code = 2


def _failure(error: BaseException) -> _Failure:
    """Return a one-line message with exit code 2."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror}{where}"
    return _Failure(" ".join(text.split()) or type(error).__name__)


class _Width(click.ParamType):  # type: ignore[type-arg]
    """``auto``, or units of each hidden layer separated by commas."""

    name = "N[,N...]"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value == "auto" or isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is neither 'auto' nor whole numbers such as 500 or 500,200.")


@click.group(cls=_App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="solvenet", message="solvenet %(version)s")
def app() -> None:
    """Neural networks that are solved, not trained.

    Give a table, get a fitted network in seconds, with its accuracy, its conditioning and
    a file that can be used elsewhere.

    \b
      solvenet fit houses.csv -t price -o price.safetensors --report price.html
      solvenet predict price.safetensors new.csv -o prices.csv
      solvenet inspect price.safetensors
      solvenet demo

    Tables are .csv, .tsv, .parquet or .npy files (columns x0, x1, ...). Text columns and
    missing values are welcome.
    """  # noqa: D301 (click looks for a backspace)


@app.command()
@click.argument("table", type=_FILE)
@click.option("-t", "--target", required=True, metavar="COL", help="Column to predict.")
@click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    show_default=True,
    help="auto: text and few different whole numbers are classes.",
)
@click.option("-o", "--output", type=_FILE, metavar="MODEL", help="Save the model here.")
@click.option("--valid", type=_FILE, metavar="TABLE", help="Rows to measure the model on.")
@click.option(
    "--valid-fraction",
    type=float,
    default=0.2,
    show_default=True,
    help="Part of TABLE to set aside instead, of each class alike.",
)
@click.option(
    "--report", type=_FILE, metavar="HTML", help="Write a page with figures and advice here."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of split and sampling.")
@click.option(
    "--width",
    type=_Width(),
    default="auto",
    show_default=True,
    help="Units of each hidden layer; auto is one layer of up to 1000.",
)
@click.option(
    "--activation",
    default="tanh",
    show_default=True,
    metavar="NAME",
    help="tanh, relu, sin, cos, sigmoid, gelu or identity.",
)
@click.option("--memory-limit", metavar="SIZE", help='Of the solve, such as "500MB".')
@click.option("-q", "--quiet", is_flag=True, help="Only the line with the result.")
def fit(
    table: Path,
    target: str,
    task: str,
    output: Path | None,
    valid: Path | None,
    valid_fraction: float,
    report: Path | None,
    seed: int,
    width: Any,
    activation: str,
    memory_limit: str | None,
    quiet: bool,
) -> None:
    """Fit a network to TABLE and measure it on rows it has not seen.

    Prints one line with the score and its 95 % interval; notes and advice go to stderr.
    """
    from solvenet.commands import fit_table

    with _bar(quiet) as progress:
        result = fit_table(
            table,
            target,
            output=output,
            task=task,
            valid=valid,
            valid_fraction=valid_fraction,
            report=report,
            random_state=seed,
            hidden_layer_sizes=width,
            activation=activation,
            memory_limit=memory_limit,
            progress=progress,
        )
    if not quiet:
        for note in result.notes:
            click.echo(f"note: {note}", err=True)
        for finding in result.findings:
            click.echo(f"{finding.severity}: {finding.text}", err=True)
    click.echo(result.summary)


@app.command()
@click.argument("model", type=_FILE)
@click.argument("table", type=_FILE)
@click.option(
    "-o", "--output", type=_FILE, required=True, metavar="OUT", help="Write predictions here."
)
def predict(model: Path, table: Path, output: Path) -> None:
    """Predict for every row of TABLE with a saved MODEL.

    Regression gives the columns prediction and std, classification the label and the
    probability of each class.
    """
    from solvenet.commands import predict_table

    click.echo(predict_table(model, table, output).summary)


@app.command()
@click.argument("model", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for other programs.")
def inspect(model: Path, as_json: bool) -> None:
    """Show what a saved MODEL holds: columns, network, settings, solve."""
    from solvenet.commands import inspect_model

    facts = inspect_model(model)
    click.echo(json.dumps(facts, indent=2, default=str) if as_json else _readable(facts))


@app.command()
@click.option(
    "-o",
    "--output",
    type=_FILE,
    default=Path("solvenet-demo"),
    show_default=True,
    metavar="FOLDER",
    help="Where tables, models, reports and predictions go.",
)
def demo(output: Path) -> None:
    """Do the main job on three tables that need no download."""
    from solvenet.commands import demo as run

    with _bar() as progress:
        for item in run(output, progress=progress):
            click.echo(f"{item.name}\n  {item.fit.summary}\n  {item.predictions.summary}")
    click.echo(f"Open {output / 'diabetes.html'} in a browser.")


@contextmanager
def _bar(quiet: bool = False) -> Iterator[Progress | None]:
    """Show a progress bar on stderr, where that is a terminal; give what feeds it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("start", total=None)

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name, refresh=True)

        yield progress


def _readable(facts: Mapping[str, Any]) -> str:
    """Return the facts of a model as aligned lines."""
    lines = [f"{facts['file']}  ({facts['bytes'] / 1e3:.1f} kB)"]

    def add(name: str, value: Any) -> None:
        if value:
            lines.append(f"  {name:<12}{value}")

    add("estimator", facts["estimator"])
    columns = facts.get("columns", [])
    kinds: dict[str, list[str]] = {}
    for column in columns:
        kinds.setdefault(column["kind"], []).append(column["name"])
    for kind, names in kinds.items():
        more = f", and {len(names) - 8} more" if len(names) > 8 else ""
        add(f"{kind}s" if kind != "text" else kind, ", ".join(names[:8]) + more)
    add("left out", "; ".join(f"{name} ({why})" for name, why in facts.get("left_out", {}).items()))
    add("classes", ", ".join(map(str, facts.get("classes", []))))
    units = " + ".join(map(str, facts["units"]))
    parameters = facts.get("parameters")
    add("network", f"{facts['inputs']} inputs, {units} units, {parameters} parameters")
    add("settings", ", ".join(f"{k}={v}" for k, v in facts["settings"].items() if v is not None))
    solve = facts.get("solve") or {}
    if solve:
        rank = solve.get("rank")
        add("solver", f"{solve.get('solver')}: {solve.get('reason')}")
        add(
            "solve",
            f"alpha {solve.get('alpha', 0.0):.2e}, "
            + (f"rank {rank}, " if rank is not None else "")
            + f"effective parameters {solve.get('degrees_of_freedom', 0.0):.1f}, "
            f"rows {solve.get('n_rows', 0):g}, passes {solve.get('n_passes')}",
        )
        for text in solve.get("warnings") or ():
            add("warning", text)
    return "\n".join(lines)
