"""Every error that Chronotope raises on purpose.

A message says what was needed, what was found and where, and what to do. The command line
prints it as one paragraph and exits with `exit_code`; a traceback is always a defect.

    ChronotopeError (1)
    ├── ConfigError (2)          params.yaml, a mapping or a command-line value is wrong
    ├── DataError (3)            the log or a file of it cannot be used
    │   ├── SchemaError          columns are missing, renamed or of another type
    │   ├── ValidationFailed     the batch as a whole broke the data contract
    │   └── ConservationError    rows in ≠ kept + quarantined + duplicates
    ├── IntegrityError (4)       bytes differ from the digest that was recorded for them
    │   └── UnsafeFileError      a file asks for something that a data file may not (pickle, links, …)
    ├── TrainingError (5)        training cannot go on (NaN loss, nothing to learn from)
    ├── PromotionError (6)       the gate or the promotion log refuses
    │   ├── StalePromotion       another champion was promoted meanwhile
    │   ├── ExperimentError      the log of experiments refuses: one is under way, none is, or it went on meanwhile
    │   └── NoUpdate             there is no champion that could learn on
    ├── BusyError (7)            another run holds the workspace
    ├── StorageError (8)         a write failed (disk full, not permitted); nothing half-written is left
    └── ServiceError (9)         a server that is needed does not answer
"""

from __future__ import annotations


class ChronotopeError(Exception):
    """Base of the tree.

    Parameters
    ----------
    needed : str
        What was needed.
    found : str
        What was found, and where.
    do : str
        What the reader can do about it.
    """

    exit_code = 1

    def __init__(self, needed: str, *, found: str, do: str) -> None:
        self.needed, self.found, self.do = needed, found, do
        super().__init__(f"Needed {needed}; found {found}. {do}")


class ConfigError(ChronotopeError):
    exit_code = 2


class DataError(ChronotopeError):
    exit_code = 3


class SchemaError(DataError):
    pass


class ValidationFailed(DataError):
    pass


class ConservationError(DataError):
    pass


class IntegrityError(ChronotopeError):
    exit_code = 4


class UnsafeFileError(IntegrityError):
    pass


class TrainingError(ChronotopeError):
    exit_code = 5


class PromotionError(ChronotopeError):
    exit_code = 6


class StalePromotion(PromotionError):
    pass


class ExperimentError(PromotionError):
    pass


class NoUpdate(PromotionError):
    pass


class BusyError(ChronotopeError):
    exit_code = 7


class StorageError(ChronotopeError):
    exit_code = 8


class ServiceError(ChronotopeError):
    exit_code = 9
