"""From a table of mixed columns to a matrix of numbers: a transformer that saves as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from solvenet._validation import check_count
from solvenet.errors import InvalidDataError, ModelFileError
from solvenet.estimators.encoding import LevelColumn, NumberColumn, column_from, learn_column
from solvenet.estimators.learning import LearntTable, learn_table
from solvenet.sources import Table
from solvenet.sources.columns import columns_of, is_named, unknown_columns

if TYPE_CHECKING:
    from solvenet._array_api import Array

_TOO_FEW = "The table has {} sample (row); at least 2 are wanted to learn from."


class TableEncoder(TransformerMixin, BaseEstimator):
    """Encode a table with numeric and text columns as a matrix without missing values.

    Numbers keep their values, the median stands in for missing ones, and a column that
    had missing values gets a second one that says where. Text, truth values and
    categories become one column a level. Dates become days since 1970-01-01 and
    durations days. Columns that say nothing are dropped, see ``dropped_``.

    Parameters
    ----------
    max_levels : int, default=30
        At most so many levels of a text column get a column of their own; the others
        share one.

    Attributes
    ----------
    columns_ : tuple of NumberColumn and LevelColumn
        The columns that are used, in the order of the table.
    dropped_ : dict of str to str
        The columns that are not, with the reason.
    feature_names_in_ : array of str
        Columns of the table; only where it had names.
    n_features_in_ : int
        Number of columns of the table.

    See Also
    --------
    solvenet.tables.read_table : Read a file into a table.

    Notes
    -----
    A table is a mapping from names to one-dimensional arrays, a pandas or Polars frame,
    a pyarrow table, or a two-dimensional array, whose columns are called x0, x1, ...; or a
    :class:`solvenet.sources.Table`, which is never held as a whole while it is learnt from.
    Of that the encoder is the same as of the rows in memory while text columns hold up to
    10,000 different texts and the table up to 65,536 different rows of numbers (fewer
    where a row has more than 64). Beyond the first bound, the rarest texts are given up
    and a text gets a column of its own only if it is certainly more frequent than those;
    beyond the second, medians come from a sample of so many rows.
    Only numbers, text and flags are learnt, so that ``to_dict`` is plain JSON.

    Examples
    --------
    >>> import numpy as np
    >>> from solvenet.estimators.tables import TableEncoder
    >>> table = {"size": np.array([1.0, np.nan, 3.0]), "hue": np.array(["red", "blue", "red"])}
    >>> encoder = TableEncoder().fit(table)
    >>> list(encoder.get_feature_names_out())
    ['size', 'size=(missing)', 'hue=red', 'hue=blue']
    >>> encoder.transform(table)[1].tolist()
    [2.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, *, max_levels: int = 30) -> None:
        self.max_levels = max_levels

    def __sklearn_tags__(self) -> Any:
        """Declare what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def fit(self, X: Any, y: Any = None) -> TableEncoder:
        """Learn kinds, medians and levels of the columns.

        Parameters
        ----------
        X : table of n_rows rows
            See the notes of the class. A :class:`solvenet.sources.Table` is read in batches.
        y : ignored
            For pipelines.

        Returns
        -------
        TableEncoder
            Itself, fitted.

        Raises
        ------
        InvalidDataError
            Not a table, no rows, repeated column names, infinite numbers, or no column
            that says something.
        """
        check_count("max_levels", self.max_levels)
        if isinstance(X, Table):
            return self.take(learn_table(X, most_levels=self.max_levels))
        table, named = columns_of(X), is_named(X)
        if len(next(iter(table.values()))) < 2:
            raise InvalidDataError(_TOO_FEW.format(1))
        columns: list[NumberColumn | LevelColumn] = []
        dropped: dict[str, str] = {}
        for name, values in table.items():
            learnt = learn_column(name, values, self.max_levels)
            if isinstance(learnt, str):
                dropped[name] = learnt
            else:
                columns.append(learnt)
        return self._keep(columns, dropped, list(table), named)

    def take(self, learnt: LearntTable) -> TableEncoder:
        """Take over what a pass over a table has found.

        Parameters
        ----------
        learnt : LearntTable
            See :func:`solvenet.estimators.learning.learn_table`.

        Returns
        -------
        TableEncoder
            Itself, fitted.
        """
        if learnt.n_rows < 2:
            raise InvalidDataError(_TOO_FEW.format(learnt.n_rows))
        columns, dropped = learnt.columns(self.max_levels)
        return self._keep(columns, dropped, learnt.names, named=True)

    def _keep(
        self,
        columns: list[NumberColumn | LevelColumn],
        dropped: dict[str, str],
        names: list[str],
        named: bool,
    ) -> TableEncoder:
        if not columns:
            reasons = "; ".join(f"{name!r} {why}" for name, why in dropped.items())
            msg = f"No column of the table can be learnt from: {reasons}."
            raise InvalidDataError(msg)
        self.columns_ = tuple(columns)
        self.dropped_ = dropped
        self.n_features_in_ = len(names)
        if named:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def transform(self, X: Any) -> Array:
        """Encode a table.

        Parameters
        ----------
        X : table of n_rows rows
            Has the columns that are used; others are ignored.

        Returns
        -------
        array of shape (n_rows, n_features_out), float64
            Finite numbers.

        Raises
        ------
        InvalidDataError
            A column is missing, or holds values of another kind than when fitted.
        """
        check_is_fitted(self)
        if isinstance(X, Table):
            batches = X.batches(X.check_names([column.name for column in self.columns_]))
            return np.concatenate([self.encode(batch, first) for first, batch in batches])
        table = columns_of(X)
        if not is_named(X) and len(table) != self.n_features_in_:
            msg = (
                f"X has {len(table)} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
            raise InvalidDataError(msg)
        wanted = [column.name for column in self.columns_]
        absent = [name for name in wanted if name not in table]
        if absent:
            raise InvalidDataError(unknown_columns(absent, table))
        return self.encode(table)

    def encode(self, table: Mapping[str, Array], first: int = 0) -> Array:
        """Encode some rows of a table as its columns come; `first` is the number of a row."""
        return np.concatenate([c.encode(table[c.name], first) for c in self.columns_], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return the names of the encoded columns, such as ``size`` and ``hue=red``."""
        check_is_fitted(self)
        names = [name for column in self.columns_ for name in column.names()]
        return np.array(names, dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return what was learnt as plain JSON values."""
        check_is_fitted(self)
        return {
            "max_levels": self.max_levels,
            "columns": [
                asdict(c) | ({"levels": list(c.levels)} if isinstance(c, LevelColumn) else {})
                for c in self.columns_
            ],
            "dropped": dict(self.dropped_),
            "n_columns": self.n_features_in_,
            "names": list(getattr(self, "feature_names_in_", ())) or None,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> TableEncoder:
        """Return the fitted encoder that `to_dict` described.

        Raises
        ------
        ModelFileError
            The description is incomplete or holds values of the wrong kind.
        """
        try:
            encoder = cls(max_levels=check_count("max_levels", state["max_levels"]))
            encoder.columns_ = tuple(column_from(entry) for entry in state["columns"])
            encoder.dropped_ = {str(name): str(why) for name, why in state["dropped"].items()}
            encoder.n_features_in_ = check_count("n_columns", state["n_columns"])
            if state["names"] is not None:
                names = [str(name) for name in state["names"]]
                encoder.feature_names_in_ = np.array(names, dtype=object)
            if not encoder.columns_:
                msg = "no columns"
                raise ValueError(msg)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = (
                f"The description of the table is damaged ({type(error).__name__}: {error}). "
                "Save the model again."
            )
            raise ModelFileError(msg) from error
        return encoder
