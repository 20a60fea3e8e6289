"""A network at some rows, with the factors of its Jacobian, which itself is never formed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from solvenet.features.slopes import SLOPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from solvenet._array_api import Array
    from solvenet.structured.network import MMNN

_BLOCK = 2**21


class Linearization:
    """Values of a network at rows, and products with its Jacobian.

    The Jacobian has one row for each row of the inputs and each output (outputs outermost), and
    one column for each fitted number. Row n with respect to A_l and c_l is the outer product of
    ``S_l(n)``, the units with a 1, and ``D_l(n)``, the gradient of the output with respect to the
    channels of layer l; with respect to W_l and b_l, of the layer's inputs with a 1 and the
    gradient ``G_l(n)`` with respect to the arguments of its units. Hence::

        J J' = sum_l (D_l D_l') o (S_l S_l')   [ + (G_l G_l') o (H_l H_l') ]

    Parameters
    ----------
    network : MMNN
        The network.
    Z : array of shape (n_rows, n_inputs)
        Scaled inputs.

    Attributes
    ----------
    values : array of shape (n_rows, n_outputs)
        Of the network.

    Notes
    -----
    *Cost.* For N rows, T outputs, width w, rank r and depth L: ``4 N w r L`` flops for the
    values, ``4 T N w r L`` for the factors, ``N^2 (w + T^2 r) L`` for the Gram matrix. Memory:
    ``3 N (w + r) L`` numbers, ``T N r L`` more for the factors, ``T N w L`` where W, b are fitted.
    """

    def __init__(self, network: MMNN, Z: Array) -> None:
        self.network = network
        self._trace = list(network.passes(Z))
        self.values = self._trace[-1][3]
        self._factors: list[tuple[Array, Array]] | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the Jacobian: rows of the inputs times outputs."""
        return self.values.size

    def factors(self) -> list[tuple[Array, Array]]:
        """Return the factors in the order of the network's parameters.

        Returns
        -------
        list of (left, right)
            Of shapes (n_outputs, n_rows, k) and (n_rows, m): the Jacobian's part for an array
            of shape (m, k) is their outer product, row by row.
        """
        if self._factors is None:
            self._factors = self._backward()
        return self._factors

    def _backward(self) -> list[tuple[Array, Array]]:
        network, (n, T) = self.network, self.values.shape
        slope = SLOPES[network.activation]
        found: list[tuple[Array, Array]] = []
        D = np.repeat(np.eye(T)[:, None, :], n, axis=1)
        ones = np.ones((n, 1))
        for number in reversed(range(network.depth)):
            layer, (H, Z, S, _) = network.layers[number], self._trace[number]
            last = number == 0 and network.fixed
            part = [(D, np.concatenate([S, ones], axis=1))]
            if not last:
                G = D @ layer.A.T
                G *= slope(Z, S)
                if not network.fixed:
                    part.append((G, np.concatenate([H, ones], axis=1)))
                before = G @ layer.W.T
                passed = network.n_passed(number)
                before[..., :passed] += D[..., :passed]
                D = before
            found = part + found
        return found

    def squares(self) -> list[float]:
        """Return, for each parameter array, the mean squared length of its rows of J."""
        n = self.n_rows
        return [
            float(np.einsum("tnk,tnk->n", left, left) @ np.einsum("nj,nj->n", right, right)) / n
            for left, right in self.factors()
        ]

    def gram(self, weights: Sequence[float]) -> Array:
        """Return ``J W J'``, for weights W of the parameter arrays.

        Parameters
        ----------
        weights : sequence of float
            Of the parameter arrays, not negative: J W J' for the diagonal W of them. Arrays of
            weight zero do not count.

        Returns
        -------
        array of shape (n_outputs * n_rows, n_outputs * n_rows)
            Symmetric.
        """
        n, T = self.values.shape
        out = np.zeros((T * n, T * n))
        outer, inner = np.empty_like(out), np.empty((n, n))
        for weight, (left, right) in zip(weights, self.factors(), strict=True):
            if weight == 0:
                continue
            flat = left.reshape(T * n, -1)
            # NumPy computes a matrix times its own transpose at half the cost.
            np.matmul(flat, flat.T, out=outer)
            np.matmul(right, right.T, out=inner)
            inner *= weight
            if T == 1:
                outer *= inner
            else:
                blocks = outer.reshape(T, n, T, n)
                blocks *= inner[None, :, None, :]
            out += outer
        return out

    def normal(self, weights: Sequence[float]) -> Array:
        """Return ``V' V`` for ``V = J W^(1/2)``, from a block of rows at a time.

        Parameters
        ----------
        weights : sequence of float
            Of the parameter arrays, not negative: J W J' for the diagonal W of them. Arrays of
            weight zero do not count.

        Returns
        -------
        array of shape (n_parameters, n_parameters)
            Symmetric, for parameters of positive weight, each array raveled.
        """
        chosen = [
            (left, math.sqrt(weight) * right)
            for weight, (left, right) in zip(weights, self.factors(), strict=True)
            if weight > 0
        ]
        n, T = self.values.shape
        size = sum(left.shape[2] * right.shape[1] for left, right in chosen)
        gram = np.zeros((size, size))
        step = max(1, _BLOCK // size)
        for t in range(T):
            for start in range(0, n, step):
                rows = slice(start, min(n, start + step))
                J = self._rows(chosen, t, rows)
                gram += J.T @ J
        return gram

    def jacobian(self) -> Array:
        """Return the Jacobian itself, shape (n_outputs * n_rows, n_parameters)."""
        n, T = self.values.shape
        return np.concatenate([self._rows(self.factors(), t, slice(0, n)) for t in range(T)])

    def transposed(self, u: Array, weights: Sequence[float]) -> list[Array]:
        """Return ``W J' u`` as arrays in the order of the parameters.

        Parameters
        ----------
        u : array of shape (n_outputs * n_rows,)
            A vector.
        weights : sequence of float
            Of the parameter arrays, not negative: J W J' for the diagonal W of them. Arrays of
            weight zero do not count.

        Returns
        -------
        list of array
            Of the shapes of the parameters.
        """
        n, T = self.values.shape
        rows = u.reshape(T, n, 1)
        return [
            weight * (right.T @ np.einsum("tnk,tnj->nk", left, rows))
            if weight > 0
            else np.zeros((right.shape[1], left.shape[2]))
            for weight, (left, right) in zip(weights, self.factors(), strict=True)
        ]

    def times(self, step: Sequence[Array]) -> Array:
        """Return ``J step``, shape (n_outputs * n_rows,).

        Parameters
        ----------
        step : sequence of array
            In the order and of the shapes of the parameters.

        Returns
        -------
        array of shape (n_outputs * n_rows,)
            The change of the outputs to first order.
        """
        out = np.zeros(self.values.shape[::-1])
        for (left, right), change in zip(self.factors(), step, strict=True):
            out += np.einsum("tnk,nk->tn", left, right @ change)
        return out.ravel()

    @staticmethod
    def _rows(chosen: Sequence[tuple[Array, Array]], t: int, rows: slice) -> Array:
        parts = [
            np.einsum("nm,nk->nmk", right[rows], left[t, rows]).reshape(rows.stop - rows.start, -1)
            for left, right in chosen
        ]
        return np.concatenate(parts, axis=1)
