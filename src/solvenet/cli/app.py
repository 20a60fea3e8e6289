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

FILE = click.Path(path_type=Path)


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
      solvenet diagnose houses.csv -t price -m price.safetensors
      solvenet demo

    Tables are .csv, .tsv, .parquet or .npy files (columns x0, x1, ...), or folders of
    these, of any size. Text columns and missing values are welcome.
    """  # noqa: D301 (click looks for a backspace)


def _where(command: Any) -> Any:
    """Add the options that say where a large table is worked on."""
    command = click.option(
        "--dask",
        metavar="ADDRESS",
        help="Scheduler of a Dask cluster, such as tcp://10.0.0.1:8786.",
    )(command)
    return click.option(
        "--engine",
        type=click.Choice(["serial", "threads", "processes"]),
        help="Where parts of a large TABLE are worked on: on this machine.",
    )(command)


@app.command()
@click.argument("table", type=FILE, nargs=-1, required=True)
@click.option("-t", "--target", required=True, metavar="COL", help="Column to predict.")
@click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    show_default=True,
    help="auto: text and few different whole numbers are classes.",
)
@click.option("-o", "--output", type=FILE, metavar="MODEL", help="Save the model here.")
@click.option("--valid", type=FILE, metavar="TABLE", help="Rows to measure the model on.")
@click.option(
    "--valid-fraction",
    type=float,
    default=0.2,
    show_default=True,
    help="Part of TABLE to set aside instead, of each class alike (if large, up to chance).",
)
@click.option(
    "--report", type=FILE, metavar="HTML", help="Write a page with figures and advice here."
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
@_where
@click.option(
    "--checkpoint",
    type=FILE,
    metavar="DIR",
    help="Save what has been summed up of a large TABLE; the same command goes on from there.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only the line with the result.")
def fit(
    table: tuple[Path, ...],
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
    engine: str | None,
    dask: str | None,
    checkpoint: Path | None,
    quiet: bool,
) -> None:
    """Fit a network to TABLE and measure it on rows it has not seen.

    TABLE is a file, a folder, a quoted pattern such as "data/*.parquet", or several files.
    Beyond 64 MB it is read in parts and may be larger than memory.

    Prints one line with the score and its 95 % interval; notes and advice go to stderr.
    """
    from solvenet.commands import fit_table

    with _resuming(checkpoint), _engine(engine, dask) as made, _bar(quiet) as progress:
        result = fit_table(
            one_or_list(table),
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
            engine=made,
            checkpoint=checkpoint,
            progress=progress,
        )
    if not quiet:
        for note in result.notes:
            click.echo(f"note: {note}", err=True)
        for finding in result.findings:
            click.echo(f"{finding.severity}: {finding.text}", err=True)
    click.echo(result.summary)


@app.command()
@click.argument("model", type=FILE)
@click.argument("table", type=FILE, nargs=-1, required=True)
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="OUT", help="Write predictions here."
)
@_where
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def predict(
    model: Path,
    table: tuple[Path, ...],
    output: Path,
    engine: str | None,
    dask: str | None,
    quiet: bool,
) -> None:
    """Predict for every row of TABLE with a saved MODEL.

    Regression gives the columns prediction and std, classification the label and the
    probability of each class. TABLE is as for fit; if large it is read, predicted and
    written in parts.
    """
    from solvenet.commands import predict_table

    with _engine(engine, dask) as made, _bar(quiet) as progress:
        result = predict_table(model, one_or_list(table), output, engine=made, progress=progress)
    click.echo(result.summary)


@app.command()
@click.argument("model", type=FILE)
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
    type=FILE,
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


def one_or_list(paths: tuple[Path, ...]) -> Any:
    """Return the only path, or a list: a shell may have spelt out a pattern."""
    return paths[0] if len(paths) == 1 else list(paths)


@contextmanager
def _engine(name: str | None, address: str | None) -> Iterator[Any]:
    """Give the engine that was asked for, and take leave of a cluster."""
    if address is None:
        yield name
        return
    if name is not None:
        msg = "--engine and --dask exclude each other."
        raise click.UsageError(msg)
    from solvenet.engine import DaskEngine

    engine = DaskEngine(address)
    try:
        yield engine
    finally:
        engine.client.close()


@contextmanager
def _resuming(checkpoint: Path | None) -> Iterator[None]:
    """Say after an interrupt how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None or not checkpoint.exists():
            raise
        click.echo(
            f"Interrupted. What has been summed up is in {checkpoint}; the same command goes on "
            "from there.",
            err=True,
        )
        click.get_current_context().exit(130)


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
