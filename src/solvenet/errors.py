"""Every exception and warning class of solvenet.

Messages say what was given, what was wanted and what to do. Each class also
derives from the built-in exception a caller would already catch.
"""


class SolvenetError(Exception):
    """Base class of every error that solvenet raises on purpose."""


class InvalidDataError(SolvenetError, ValueError):
    """Data that cannot be used as given (shape, NaN, type, empty, ...)."""


class InvalidSettingError(SolvenetError, ValueError):
    """A setting outside what is allowed."""


class UnsupportedProblemError(SolvenetError, ValueError):
    """A solver was given a problem that it declares not to support."""


class PassesExhaustedError(SolvenetError, RuntimeError):
    """A source of row blocks was read more often than it allows."""


class MemoryLimitError(SolvenetError, MemoryError):
    """The work does not fit into the memory limit that was given."""


class SpillError(SolvenetError, OSError):
    """Features could not be written to disk."""


class ModelFileError(SolvenetError, ValueError):
    """A model file is truncated, altered, hostile or of another version."""


class EngineError(SolvenetError, RuntimeError):
    """Workers or their scheduler are gone, or a part of the work killed its workers."""


class CheckpointError(SolvenetError, ValueError):
    """A checkpoint is damaged, or belongs to other data or settings."""


class MissingExtraError(SolvenetError, ImportError):
    """An optional package is needed and not installed."""


class SolvenetWarning(UserWarning):
    """Base class of the warnings of solvenet."""


class IllConditionedWarning(SolvenetWarning):
    """The result of a solve may have lost accuracy to conditioning."""


class FewPairsWarning(SolvenetWarning):
    """Fewer distinct pairs of data points exist than neurons were asked for."""


class ExportAccuracyWarning(SolvenetWarning):
    """An exported model differs from the original by more than rounding."""


class DomainWarning(SolvenetWarning):
    """Rows lie outside of the domain that a network was made for."""


class FewRowsWarning(SolvenetWarning):
    """There are fewer rows than a fit of so many parameters wants."""
