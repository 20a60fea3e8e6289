"""Published numbers beside ours, with a verdict that is computed.

A published value is a number, or a relation that ours has to satisfy: ``<1``, ``>1``, ``~v``
(within a factor of 2 of v), ``<~v`` (less than twice v), or ``=v`` (v when rounded to its digits).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from common.records import Results, median, read_table

NEARLY = 2.0

Measured = Callable[[Results, str, str, str], float | None]
"""What we measured for a table, item and quantity; None where the part was not run."""


class Comparison(NamedTuple):
    """One line of the table."""

    table: str
    item: str
    quantity: str
    published: str
    ours: float | None
    ratio: float | None
    verdict: str
    reason: str = ""


def verdict(published: str, ours: float | None, *, within: float) -> str:
    """Judge our number by a published number or relation; numbers agree within a factor."""
    if ours is None:
        return "not run"
    if not published:
        return "no number published"
    relation, number = published[0], float(published.lstrip("<>~="))
    if relation == "=":
        rounded = round(ours, -int(Decimal(published[1:]).as_tuple().exponent))
        return "agrees" if rounded == number else f"differs: {ours:.4g} is not {published[1:]}"
    if published.startswith("<~"):
        number *= NEARLY
        return "agrees" if ours < number else f"differs: {ours / number * NEARLY:.2f} times more"
    if relation in "<>":
        holds = ours < number if relation == "<" else ours > number
        return "agrees" if holds else f"differs: {ours:.3g} is not {published}"
    allowed = NEARLY if relation == "~" else within
    factor = ours / number
    if 1 / allowed <= factor <= allowed:
        return "agrees"
    if factor <= 0:
        return f"differs: {ours:.3g} has another sign"
    return f"differs: {max(factor, 1 / factor):.2f} times {'more' if factor > 1 else 'less'}"


def measured_median(results: Results, table: str, item: str, quantity: str) -> float | None:
    """Return the median over the seeds; a quantity ``"error at 8"`` is the error at x = 8."""
    name, _, x = quantity.partition(" at ")
    return median(results.read(table), item, name, float(x) if x else None)


def compare(
    results: Results,
    published: Iterable[dict[str, str]],
    explained: Iterable[dict[str, str]],
    *,
    within: float,
    measured: Measured = measured_median,
) -> list[Comparison]:
    """Return a line for each published number; known differences carry their reason."""
    reasons = {(r["table"], r["item"], r["quantity"]): r["reason"] for r in explained}
    lines = []
    for row in published:
        key, value = (row["table"], row["item"], row["quantity"]), row["value"]
        ours = measured(results, *key)
        text = verdict(value, ours, within=within)
        reason = reasons.get(key, "") if text.startswith(("differs", "not run")) else ""
        if reason:
            text = f"explained, {text.removeprefix('differs: ')}"
        number = value.lstrip("~=")
        plain = ours is not None and number and number[0] not in "<>"
        ratio = ours / float(number) if plain else None
        lines.append(Comparison(*key, value, ours, ratio, text, reason))
    return lines


def failed(lines: Iterable[Comparison]) -> list[Comparison]:
    """Return the lines that differ, or were not run, without a reason."""
    return [line for line in lines if line.verdict.startswith(("differs", "not run"))]


def show(lines: list[Comparison]) -> None:
    print("| table | item | quantity | published | ours | ratio | verdict |")
    print("|---|---|---|---|---|---|---|")
    reasons = list(dict.fromkeys(line.reason for line in lines if line.reason))
    for line in lines:
        ours = "" if line.ours is None else f"{line.ours:.3g}"
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        note = f" [{reasons.index(line.reason) + 1}]" if line.reason else ""
        cells = (*line[:4], ours, ratio, line.verdict + note)
        print("| " + " | ".join(cells) + " |")
    for number, reason in enumerate(reasons, 1):
        print(f"\n[{number}] {reason}")


def conclude(lines: list[Comparison]) -> None:
    """Say how many differ, and exit with 1 if any does without a reason."""
    wrong = failed(lines)
    print(f"\n{len(lines)} published numbers; {len(wrong)} differ or were not run, unexplained")
    raise SystemExit(bool(wrong))


def tables(folder: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the published numbers of a study and the differences it explains."""
    return read_table(folder / "published.csv"), read_table(folder / "explained.csv")
