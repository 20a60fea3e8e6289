"""A permuted network as a file: how its values are drawn, and where each one goes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
from safetensors.numpy import save
from scipy.special import gammaln

from solvenet._files import write_atomically
from solvenet._validation import check_finite
from solvenet.errors import InvalidDataError, ModelFileError, SolvenetError
from solvenet.permutation.ordering import levels_of, rank_of
from solvenet.permutation.recipe import MultisetRecipe, multiset_digest

if TYPE_CHECKING:
    from solvenet._array_api import Array

FORMAT = "solvenet permutation 1"
_RANK_WORK = 1e9
"""Places times bits up to which a row is stored as one number, read in about a second."""

_BROKEN = (safetensors.SafetensorError, AttributeError, KeyError, OSError, TypeError, ValueError)

Values = Mapping[str, Any]


@dataclass(frozen=True)
class StorageSize:
    """What the places of values cost, in bits; made by :func:`storage_size`.

    Attributes
    ----------
    n_weights : int
        Values in all.
    entropy : float
        ``log2`` of the number of arrangements: no code is shorter on average.
    rank : int
        As one number a multiset (:func:`rank_of`), in whole bits.
    index : int
        As the level of each value, in ``ceil(log2 n_levels)`` bits.
    switches : int
        Switches of a Benes network a multiset (:func:`routing_network`), of one bit each.
    """

    n_weights: int
    entropy: float
    rank: int
    index: int
    switches: int

    @property
    def bits_per_weight(self) -> float:
        """The entropy over the number of weights."""
        return self.entropy / self.n_weights


@dataclass(frozen=True)
class StoredPermutation:
    """What a permutation file holds; made by :func:`load_permutation`.

    Attributes
    ----------
    arrangements : dict of str to array of shape (n_values,) or (n_rows, n_values)
        The values of each layer at their places.
    info : dict
        What was stored beside: numbers, texts.
    """

    arrangements: dict[str, Array]
    info: dict[str, Any]


def storage_size(values: Any) -> StorageSize:
    """Return how many bits tell where the values of a multiset are.

    Parameters
    ----------
    values : array-like of shape (n_values,) or (n_rows, n_values)
        One multiset, or one a row, in any order.

    Returns
    -------
    StorageSize
        The entropy bound, and the sizes of three codes.

    Raises
    ------
    InvalidDataError
        Another shape, no values, NaN or infinity.

    Notes
    -----
    The values themselves cost their seed. A permutation of N different values takes about
    ``log2 N - 1.44`` bits a weight, which is no less than quantised weights take: few levels
    are what makes it small. With L equally frequent levels it is ``log2 L``.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.permutation import storage_size
    >>> round(storage_size(np.arange(640)).bits_per_weight, 2)
    7.89
    >>> round(storage_size(np.repeat([-1, 1], 320)).bits_per_weight, 2)
    0.99
    """
    rows = np.atleast_2d(_checked("values", values))
    n = rows.shape[1]
    counts = [np.unique(row, return_counts=True)[1] for row in rows]
    entropies = [_entropy(c) for c in counts]
    return StorageSize(
        n_weights=rows.size,
        entropy=sum(entropies),
        rank=sum(math.ceil(bits) for bits in entropies),
        index=sum(n * _index_bits(len(c)) for c in counts),
        switches=_switches(n) * len(rows),
    )


def save_permutation(
    path: str | os.PathLike[str],
    arrangements: Values,
    *,
    recipes: Mapping[str, MultisetRecipe] | None = None,
    info: Mapping[str, Any] | None = None,
) -> StorageSize:
    """Write where the values of each layer are, and how they are drawn.

    Parameters
    ----------
    path : path-like
        The file, replaced if it exists; written under another name and then renamed.
    arrangements : mapping of str to array-like of shape (n_values,) or (n_rows, n_values)
        The values of each layer at their places; in two dimensions each row is a multiset.
        For example ``{"coef": result.coef}``.
    recipes : mapping of str to MultisetRecipe, optional
        How the values of a layer are drawn. Those of other layers are not in the file either:
        only a hash is, and whoever loads it has to bring them.
    info : mapping of str to number or str, optional
        Kept as it is, such as gamma and alpha.

    Returns
    -------
    StorageSize
        Of all layers; the file has up to a few hundred bytes a layer more than
        ``rank / 8``, or ``index / 8`` where the rank would take too long.

    Raises
    ------
    InvalidDataError
        No layer, a wrong shape, NaN, or values that the recipe does not draw.
    OSError
        The folder does not exist, the disk is full, ... An old file is as it was.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from solvenet.permutation import MultisetRecipe, load_permutation, save_permutation
    >>> recipe = MultisetRecipe("uniform", seed=7)
    >>> coef = np.random.default_rng(0).permutation(recipe.draw(100))
    >>> path = os.path.join(tempfile.mkdtemp(), "network.permutation")
    >>> save_permutation(path, {"coef": coef}, recipes={"coef": recipe}).rank
    525
    >>> bool((load_permutation(path).arrangements["coef"] == coef).all())
    True
    """
    recipes = {} if recipes is None else recipes
    if not arrangements or set(recipes) - set(arrangements):
        msg = (
            f"Arrangements of {sorted(arrangements)} and recipes of {sorted(recipes)} were given; "
            "at least one arrangement, and recipes for these only, are wanted."
        )
        raise InvalidDataError(msg)
    layers, codes, sizes = {}, {}, []
    for name, arrangement in arrangements.items():
        given = _checked(name, arrangement)
        recipe = recipes.get(name)
        digest = multiset_digest(given)
        if recipe is not None and multiset_digest(_drawn(recipe, given.shape)) != digest:
            msg = f"The values of {name!r} are not what {recipe} draws. Give their own recipe."
            raise InvalidDataError(msg)
        layers[name] = {
            "shape": list(given.shape),
            "sha256": digest,
            "recipe": None if recipe is None else asdict(recipe),
        }
        parts = [_encoded(row) for row in np.atleast_2d(given)]
        codes[name] = np.frombuffer(b"".join(parts), dtype=np.uint8)
        sizes.append(storage_size(given))
    document = {"format": FORMAT, "layers": layers, "info": dict(info or {})}
    text = json.dumps(document, sort_keys=True, allow_nan=False)
    write_atomically(path, save(codes, metadata={"document": text}))
    return StorageSize(
        *(sum(getattr(size, field) for size in sizes) for field in StorageSize.__annotations__)
    )


def load_permutation(
    path: str | os.PathLike[str], *, values: Values | None = None
) -> StoredPermutation:
    """Read a file of :func:`save_permutation`.

    Parameters
    ----------
    path : path-like
        The file.
    values : mapping of str to array-like, optional
        The values of layers, in any order: of those stored without a recipe, and of others
        if the values at hand shall be checked, such as those of devices.

    Returns
    -------
    StoredPermutation
        The values at their places.

    Raises
    ------
    ModelFileError
        No such file, damaged, values missing, or another multiset than the one that was
        saved, be it given or drawn by another version of NumPy.
    """
    values = {} if values is None else values
    document, codes = _read(Path(path))
    if unknown := set(values) - set(document["layers"]):
        msg = f"values of {sorted(unknown)} were given; the file has {sorted(document['layers'])}."
        raise ModelFileError(msg)
    found = {}
    for name, layer in document["layers"].items():
        own = values.get(name)
        if own is None and layer["recipe"] is None:
            msg = f"The values of {name!r} are not in {path} and no recipe is: give values=."
            raise ModelFileError(msg)
        shape = tuple(layer["shape"])
        multiset = _checked(name, _drawn(layer["recipe"], shape) if own is None else own)
        if multiset.shape != shape or multiset_digest(multiset) != layer["sha256"]:
            msg = (
                f"The values of {name!r}, of shape {multiset.shape}, are another multiset than "
                f"the one of shape {shape} that {path} was written for (SHA-256 "
                f"{layer['sha256'][:16]}...). Its permutation means nothing for them."
            )
            raise ModelFileError(msg)
        found[name] = _decoded(np.sort(np.atleast_2d(multiset), axis=1), codes[name]).reshape(shape)
    return StoredPermutation(found, document["info"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    if not path.is_file():
        msg = f"There is no permutation file {path}. Check the path."
        raise ModelFileError(msg)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            document = json.loads(file.metadata()["document"])
            if document["format"] != FORMAT:
                raise KeyError(document["format"])
            codes = {name: file.get_tensor(name).tobytes() for name in document["layers"]}
            for layer in document["layers"].values():
                recipe, _, _ = layer["recipe"], layer["shape"], layer["sha256"]
                layer["recipe"] = recipe and MultisetRecipe(**recipe)
            _ = document["info"]
    except _BROKEN as error:
        msg = f"{path} is damaged, or no permutation file of this version ({error})."
        raise ModelFileError(msg) from error
    return document, codes


def _drawn(recipe: MultisetRecipe, shape: tuple[int, ...]) -> Array:
    return recipe.draw(shape[-1], n_rows=shape[0] if len(shape) == 2 else None)


def _checked(name: str, values: Any) -> Array:
    given = np.asarray(values, dtype=np.float64)
    if given.ndim not in (1, 2) or given.size == 0:
        msg = f"{name} of shape {given.shape}: (n_values,) or (n_rows, n_values) is wanted."
        raise InvalidDataError(msg)
    check_finite(name, given)
    return given


def _index_bits(n_levels: int) -> int:
    return (n_levels - 1).bit_length()


def _switches(n: int) -> int:
    """Return the switches of a Benes network of n lines."""
    count: dict[int, int] = {1: 0, 2: 1}

    def of(lines: int) -> int:
        if lines not in count:
            half = lines // 2
            count[lines] = 2 * half + of(half) + of(lines - half)
        return count[lines]

    return of(n)


def _entropy(counts: Array) -> float:
    """Return log2 of n! / (m_1! ... m_L!)."""
    log = float(gammaln(counts.sum() + 1) - gammaln(counts + 1).sum())
    return max(0.0, log / math.log(2))


def _coding(counts: Array) -> tuple[bool, int]:
    """Return whether a row is stored as its rank, and in how many bytes."""
    n, bits = int(counts.sum()), _entropy(counts)
    if n * bits <= _RANK_WORK:
        # With a margin for rounding: the number of arrangements itself is not computed.
        return True, math.ceil((bits * (1 + 1e-9) + 1) / 8)
    return False, math.ceil(n * _index_bits(len(counts)) / 8)


def _encoded(row: Array) -> bytes:
    _, levels, counts = np.unique(row, return_inverse=True, return_counts=True)
    as_rank, n_bytes = _coding(counts)
    if as_rank:
        return rank_of(levels).to_bytes(n_bytes, "little")
    bits = (levels[:, None] >> np.arange(_index_bits(len(counts)))) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _decoded(multisets: Array, code: bytes) -> Array:
    """Return the rows of values at their places; each multiset is sorted."""
    out = np.empty_like(multisets)
    try:
        for i, row in enumerate(multisets):
            distinct, counts = np.unique(row, return_counts=True)
            as_rank, n_bytes = _coding(counts)
            part, code = code[:n_bytes], code[n_bytes:]
            levels = (
                levels_of(int.from_bytes(part, "little"), counts)
                if as_rank
                else _unpacked(part, len(row), _index_bits(len(counts)))
            )
            if not np.array_equal(np.bincount(levels, minlength=len(counts)), counts):
                raise ValueError(i)
            out[i] = distinct[levels]
        if code:
            raise ValueError(len(code))
    except (SolvenetError, ValueError) as error:
        msg = "The permutation in the file does not fit its multiset: it is damaged."
        raise ModelFileError(msg) from error
    return out


def _unpacked(part: bytes, n: int, width: int) -> Array:
    bits = np.unpackbits(np.frombuffer(part, dtype=np.uint8), count=n * width).reshape(n, width)
    levels: Array = (bits.astype(np.int64) << np.arange(width)).sum(axis=1)
    return levels
