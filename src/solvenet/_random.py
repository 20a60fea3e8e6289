"""One seed, many independent streams, keyed by what they are used for.

A stream depends only on the seed and on its keys, never on how many numbers other
parts drew, on the block size or on the number of threads.
"""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *keys: str | int) -> np.random.Generator:
    """Return the random generator of `seed` that belongs to `keys`.

    Parameters
    ----------
    seed : int
        Non-negative seed.
    *keys : str or int
        What the numbers are for, for example ``("swim", layer)``.

    Returns
    -------
    numpy.random.Generator
        Same seed and keys, same numbers, on every machine.
    """
    spawn_key = tuple(zlib.crc32(key.encode()) if isinstance(key, str) else key for key in keys)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
