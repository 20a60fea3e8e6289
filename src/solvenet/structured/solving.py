"""The front: a structured network solved by the method that suits it, and says why."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from solvenet._validation import check_choice, check_count, check_nonnegative, parse_bytes
from solvenet.errors import InvalidSettingError
from solvenet.structured.fitting import Fit, Settings
from solvenet.structured.watching import Watch

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.engine import Checkpoint
    from solvenet.structured.network import MMNN
    from solvenet.structured.result import Callback, MMNNResult
    from solvenet.structured.samples import Field

METHODS = ("auto", "lm", "als", "spring", "shallow")


def solve_mmnn(
    network: MMNN,
    X: Array | Field,
    y: Array | None = None,
    *,
    method: str = "auto",
    max_steps: int | None = None,
    tolerance: float = 1e-12,
    damping: float | tuple[float, float] = (1e-2, 1e-7),
    momentum: float = 0.9,
    batch: int | None = None,
    share: float | None = None,
    prepare: bool = True,
    correct: bool | None = None,
    memory_limit: int | float | str = "2GB",
    callback: Callback | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    random_state: int = 0,
) -> MMNNResult:
    """Fit a structured network by least-squares solves instead of training.

    Parameters
    ----------
    network : MMNN
        Where to start, of :func:`random_mmnn`.
    X : array of shape (n_rows, n_inputs) or (n_rows,), or Field
        Inputs; or a function, which is sampled on the network's domain.
    y : array of shape (n_rows,) or (n_rows, n_outputs), optional
        Targets; none for a field.
    method : {"auto", "lm", "als", "spring", "shallow"}, default="auto"
        "lm": Levenberg-Marquardt on all rows (of a field, on 2000 points). "als": the same, one
        layer after the other. "spring": the same on fresh samples each step, with momentum, for
        many rows and for fields of several inputs. "shallow": solved shallow networks only.
        "auto": shallow networks of no more numbers, then "lm" or "spring", then a shallow
        network for what is left; what errs least on rows held out (one of ten) is returned.
    max_steps : int, optional
        By default 200 ("lm"), 400 ("als", one a layer), 300 ("spring").
    tolerance : float, default=1e-12
        Relative root mean squared error at which to end.
    damping : float or (float, float), default=(1e-2, 1e-7)
        In units of the mean squared row of the Jacobian. "lm" and "als" start with the first and
        follow the gain ratio; "spring" falls from the first to the last geometrically.
    momentum : float, default=0.9
        Of "spring", from 0 to below 1.
    batch : int, optional
        Samples a step of "spring"; as many as parameters, at most 1000, by default.
    share : float, optional
        Share of those that are drawn where the residual is large, from 0 to 1; by default 0.5
        for fields, and 0 for rows, which may be noisy.
    prepare : bool, default=True
        First bring hidden channels to mean 0 and deviation 0.5 and solve the last layer.
    correct : bool, optional
        Add a shallow network for what is left, where it helps on rows held out. By default with
        "auto" only.
    memory_limit : int, float or str, default="2GB"
        Bytes beyond the data; see :func:`memory_bytes`.
    callback : callable, optional
        Gets a :class:`StepRecord` each step; returning True stops.
    checkpoint : path or Checkpoint, optional
        A folder that holds the state, at most every 30 seconds and where the callback stopped.
        The same call goes on from there, to the same bits as without a break. It is removed
        when the fit has ended by itself.
    random_state : int, default=0
        Seed of samples, held-out rows and shallow networks. Same seed, same result.

    Returns
    -------
    MMNNResult
        The function. After Ctrl-C what was reached by then.

    Raises
    ------
    InvalidDataError
        NaN, no rows, shapes that do not fit, a field with targets.
    InvalidSettingError
        A setting out of range.
    MemoryLimitError
        Steps on so many rows take more than the limit.
    CheckpointError
        The checkpoint belongs to another fit.

    Warns
    -----
    DomainWarning
        Rows outside of the network's domain.
    FewRowsWarning
        Fewer rows than a tenth of the parameters.

    Notes
    -----
    *Cost.* A step on N rows takes ``N^2 (width + rank)`` flops a layer and ``N^3 / 3``; where
    there are fewer parameters P than rows, ``N P^2 + P^3 / 3``.

    *Smooth functions of one variable* are usually approximated best by the shallow network, which
    takes a fraction of a second; structured ones gain on fine detail of several variables.

    References
    ----------
    arXiv:2407.00765 for the networks, trained there by Adam; G. Goldshlager et al. (2024),
    J. Comput. Phys. 516, 113351, for "spring".

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.structured import random_mmnn, solve_mmnn
    >>> x = np.linspace(-1, 1, 300)
    >>> network = random_mmnn(20, 3, 3, activation="tanh")
    >>> result = solve_mmnn(network, x, np.tanh(20 * x), method="lm", max_steps=60)
    >>> result.mse < 1e-4, result.ending.name
    (True, 'STEPS_ENDED')
    """
    start = time.perf_counter()
    check_choice("method", method, METHODS)
    settings = Settings(
        max_steps=None if max_steps is None else check_count("max_steps", max_steps),
        tolerance=check_nonnegative("tolerance", tolerance),
        damping=_dampings(damping),
        momentum=_share("momentum", momentum, most=math.nextafter(1.0, 0.0)),
        batch=None if batch is None else check_count("batch", batch),
        share=None if share is None else _share("share", share, most=1.0),
        memory=parse_bytes("memory_limit", memory_limit),
        seed=check_count("random_state", random_state, minimum=0),
    )
    watch = Watch(callback, checkpoint)
    fit = Fit(network, X, y, method, settings, watch)
    correct = method == "auto" if correct is None else correct
    told = f"{method=} {prepare=} {correct=} {replace(settings, memory=0)}"
    watch.begin(network, {"inputs": fit.Z, "targets": fit.Y}, told)
    if prepare and method != "shallow":
        fit.prepare()
    fit.run(correct=correct)
    watch.end(fit.ending)
    return fit.result(time.perf_counter() - start)


def _dampings(damping: float | tuple[float, float]) -> tuple[float, float]:
    pair = damping if isinstance(damping, tuple) else (damping, damping)
    if len(pair) != 2 or min(check_nonnegative("damping", value) for value in pair) == 0:
        msg = f"damping={damping!r} was given; one or two numbers above zero are wanted."
        raise InvalidSettingError(msg)
    return float(pair[0]), float(pair[1])


def _share(name: str, value: float, *, most: float) -> float:
    if check_nonnegative(name, value) > most:
        below = "" if most == 1 else "below "
        msg = f"{name}={value!r} was given; a number from 0 to {below}1 is wanted."
        raise InvalidSettingError(msg)
    return float(value)
