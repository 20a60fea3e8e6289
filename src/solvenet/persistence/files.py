"""Save and load: the two functions of this room."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from solvenet._files import write_atomically
from solvenet.errors import ModelFileError
from solvenet.persistence.container import pack, read, unpack
from solvenet.persistence.models import restore, state_of
from solvenet.persistence.networks import Arrays

FORMAT = "solvenet model"
FORMAT_VERSION = 1

_DAMAGE = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def save(model: Any, path: str | os.PathLike[str], *, uncertainty: bool = True) -> None:
    """Save a fitted model to one file, without pickle.

    Parameters
    ----------
    model : SampledNetworkRegressor, SampledNetworkClassifier, SampledFeatures or Pipeline
        The fitted model; pipelines of these and TableEncoder; MMNNRegressor and MMNN, of a
        torch module ``module.to_arrays()``.
    path : path-like
        The file. An existing one is replaced, at the very end and in one step: a full disk
        or a lost connection leaves it as it was.
    uncertainty : bool, default=True
        Store what ``predict(return_std=True)`` of a regressor needs: about ``width**2``
        numbers. It is computed now if it has not been before.

    Raises
    ------
    NotFittedError
        The model is not fitted.
    InvalidSettingError
        A model or a setting that cannot be stored: an activation given as a function, a
        random number generator, a solver of your own. The message says what to do.
    InvalidDataError
        The network holds numbers that are not finite.
    OSError
        The file cannot be written.

    See Also
    --------
    load : Back again.

    Notes
    -----
    *Format.* A safetensors file: the arrays of the network in their own precision, and in
    the metadata one JSON document with the settings, the class labels and the facts of the
    solve. The SHA-256 of the whole file is part of it. The same model gives the same bytes.

    *What is not stored.* ``result_``: its facts are, as ``diagnostics_``. The arrays of a
    model fitted to torch tensors become NumPy arrays, and it takes NumPy arrays once
    loaded. The arrays of a ``GivenFeatures`` sampler are those of the first layer, and are
    rebuilt from it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from solvenet import SampledNetworkRegressor, load, save
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> model = SampledNetworkRegressor(20, random_state=0).fit(X, np.sin(X[:, 0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, Path(folder) / "model.safetensors")
    ...     same = load(Path(folder) / "model.safetensors")
    >>> bool((same.predict(X) == model.predict(X)).all())
    True
    """
    state, arrays = state_of(model, uncertainty=uncertainty)
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "solvenet": version("solvenet"),
        "model": state,
    }
    write_atomically(path, pack(document, arrays))


def load(path: str | os.PathLike[str]) -> Any:
    """Load a model that :func:`save` wrote.

    Nothing in the file is run: classes are taken from a fixed list, everything else is
    numbers and text, and all of it is checked before a model is made of it.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    SampledNetworkRegressor, SampledNetworkClassifier, SampledFeatures or Pipeline
        The fitted model, which predicts bit for bit what the saved one does on the same
        machine. Instead of ``result_`` it has ``diagnostics_``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        The file is truncated, altered, not one of solvenet, inconsistent, or written by a
        newer version.

    See Also
    --------
    save : What is stored, and how.

    Notes
    -----
    The checksum finds accidents. It does not say who wrote the file; whoever can write
    one can make a model that predicts what they like, but not one that runs code.
    """
    try:
        return _model_of(*unpack(read(path)))
    except ModelFileError as error:
        msg = f"{os.fspath(path)} cannot be loaded: {error}"
        raise ModelFileError(msg) from error
    except (*_DAMAGE, RecursionError) as error:
        msg = (
            f"{os.fspath(path)} cannot be loaded: its description of the model is damaged "
            f"({type(error).__name__}: {str(error)[:200]}). Get an intact copy."
        )
        raise ModelFileError(msg) from error


def _model_of(document: dict[str, Any], arrays: dict[str, Any]) -> Any:
    if document["format"] != FORMAT:
        msg = f"its format is {str(document['format'])[:80]!r}; {FORMAT!r} is wanted."
        raise ModelFileError(msg)
    if document["format_version"] != FORMAT_VERSION:
        msg = (
            f"it has format version {document['format_version']}, written by solvenet "
            f"{str(document['solvenet'])[:80]}; this version reads {FORMAT_VERSION}. Update "
            "solvenet."
        )
        raise ModelFileError(msg)
    handed_out = Arrays(arrays)
    model = restore(document["model"], handed_out)
    handed_out.check_all_used()
    return model
