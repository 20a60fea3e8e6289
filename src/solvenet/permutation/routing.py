"""A permutation as the switches of a routing network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from solvenet.errors import InvalidDataError
from solvenet.permutation.ordering import check_order, inverse_of

if TYPE_CHECKING:
    from solvenet._array_api import Array


@dataclass(frozen=True)
class SwitchStage:
    """Switches that work side by side, each on two lines of its own.

    Attributes
    ----------
    first, second : array of shape (n_switches,), int
        The two lines of each switch.
    crossed : array of shape (n_switches,), bool
        Whether it exchanges them.
    """

    first: Array
    second: Array
    crossed: Array


@dataclass(frozen=True)
class RoutingNetwork:
    """A Benes network with the settings of its switches; made by :func:`routing_network`.

    Attributes
    ----------
    n_lines : int
        Lines through the network.
    stages : tuple of SwitchStage
        In the order of the signal: ``2 ceil(log2 n_lines) - 1`` of them.
    """

    n_lines: int
    stages: tuple[SwitchStage, ...]

    @property
    def n_switches(self) -> int:
        """Two-by-two switches, ``N log2 N - N / 2`` for N a power of two: its settings in bits."""
        return sum(len(stage.first) for stage in self.stages)

    def __call__(self, values: Any) -> Array:
        """Send values through the switches.

        Parameters
        ----------
        values : array-like of shape (n_lines, ...)
            What enters at each line.

        Returns
        -------
        array of the same shape
            What leaves at each line: ``values[order]``.

        Raises
        ------
        InvalidDataError
            Another number of lines.
        """
        out = np.array(values)
        if out.ndim == 0 or len(out) != self.n_lines:
            msg = (
                f"Values of shape {out.shape} were given; {self.n_lines}, one a line of the "
                "network, are wanted."
            )
            raise InvalidDataError(msg)
        for stage in self.stages:
            a, b = stage.first[stage.crossed], stage.second[stage.crossed]
            out[a], out[b] = out[b], out[a]
        return out


def routing_network(order: Any) -> RoutingNetwork:
    """Set the switches of a Benes network to a permutation.

    A hardware with fixed devices and programmable wires realises a permuted network by
    switches of two lines; a Benes network is the smallest known kind with a regular layout
    that routes every permutation without conflict.

    Parameters
    ----------
    order : array-like of shape (n_lines,), int
        Line ``i`` shall receive what entered at line ``order[i]``.

    Returns
    -------
    RoutingNetwork
        With the settings; calling it with values gives ``values[order]``.

    Raises
    ------
    InvalidDataError
        No permutation of 0, ..., n_lines - 1.

    Notes
    -----
    *Cost.* O(N log N) steps in Python: about half a second for 10,000 lines.

    *Other numbers of lines than powers of two.* The even lines go to one half of the network
    and the odd ones to the other, whatever their number (Chang and Melhem 1997); nothing
    is padded.

    References
    ----------
    V. E. Benes (1964), Optimal rearrangeable multistage connecting networks, Bell System
    Technical Journal 43. A. Waksman (1968), A permutation network, Journal of the ACM 15
    (the looping algorithm). C. Chang, R. Melhem (1997), Arbitrary size Benes networks,
    Parallel Processing Letters 7.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import routing_network
    >>> network = routing_network([3, 0, 4, 1, 2])
    >>> network(["a", "b", "c", "d", "e"]).tolist()
    ['d', 'a', 'e', 'b', 'c']
    >>> network.n_switches, len(network.stages)
    (8, 5)
    """
    wanted = check_order(order)
    n = len(wanted)
    depth = max(1, (n - 1).bit_length())
    found: list[list[tuple[int, int, bool]]] = [[] for _ in range(2 * depth - 1)]
    # The work still to do: lines offset, offset + stride, ... and the permutation among them.
    todo = [(wanted.tolist(), 0, 1, 0)]
    while todo:
        part, offset, stride, level = todo.pop()
        if len(part) == 2:
            found[level].append((offset, offset + stride, part[0] == 1))
        if len(part) <= 2:
            continue
        odd = _halves(part)
        last = len(part) - len(part) % 2
        for i in range(0, last, 2):
            a, b = offset + i * stride, offset + (i + 1) * stride
            found[level].append((a, b, odd[i]))
            found[-1 - level].append((a, b, odd[part[i]]))
        inner: tuple[list[int], list[int]] = ([], [])
        for i in range(0, last, 2):
            swap = odd[part[i]]
            inner[0].append(part[i + swap] // 2)
            inner[1].append(part[i + 1 - swap] // 2)
        if last < len(part):
            inner[0].append(part[-1] // 2)
        todo += [(inner[half], offset + half * stride, 2 * stride, level + 1) for half in (0, 1)]
    return RoutingNetwork(n, tuple(_stage(switches) for switches in found if switches))


def _halves(part: list[int]) -> list[bool]:
    """Return for each input whether it goes through the odd half of the network.

    Two inputs of one switch take different halves, and so do the two that leave by one
    switch. Going from switch to switch closes a loop, which can be coloured either way; the
    line without a switch, of an odd number, ends a path and takes the even half.
    """
    n = len(part)
    target = inverse_of(np.asarray(part)).tolist()
    odd: list[bool | None] = [None] * n
    for start in range(n - 1, -1, -1):
        line = start
        while odd[line] is None:
            odd[line] = False
            mate = target[line] ^ 1
            if mate >= n:
                break  # the last output has no switch
            other = part[mate]
            odd[other] = True
            line = other ^ 1
    return [bool(half) for half in odd]


def _stage(switches: list[tuple[int, int, bool]]) -> SwitchStage:
    first, second, crossed = zip(*sorted(switches), strict=True)
    return SwitchStage(np.array(first), np.array(second), np.array(crossed, dtype=bool))
