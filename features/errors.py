"""The one tree of errors a user can meet; each class carries its exit code and HTTP status.

    KizunaError
    ├── UsageError           exit 2, HTTP 422   arguments and options
    │   └── ChangedMeanwhile         HTTP 409
    ├── ConfigurationError   exit 3, HTTP 500   kizuna.toml
    │   └── ClusterError             HTTP 503
    ├── DataError            exit 4, HTTP 422   events, sources, the store
    │   ├── UnknownCustomer          HTTP 404
    │   ├── HorizonNotCovered
    │   ├── DamagedFile              HTTP 500
    │   └── StoreAway                HTTP 503
    ├── ModelError           exit 5, HTTP 503   no model, a damaged one, a refused one
    │   └── ModelFilesMissing
    ├── RunUnderWay          exit 7, HTTP 409   another `kizuna run` of the project goes on
    ├── Forbidden            exit 2, HTTP 403   a permission that the caller lacks
    └── RequestRefused       exit 2             an HTTP request that is not answered
        ├── NoKey                    HTTP 401
        ├── WrongPassword            HTTP 401
        ├── WrongMethod              HTTP 405
        ├── BodyTooLarge             HTTP 413
        ├── NotJson                  HTTP 415
        ├── TooFast                  HTTP 429
        ├── Overloaded               HTTP 503
        ├── TooSlow                  HTTP 503
        └── Unavailable              HTTP 503

A message names the request, what is wrong and what to do, in one or two sentences.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")


def shell_word(text: str) -> str:
    """A name as a command that a message proposes takes it: quoted for the shell where it must be."""
    return text if _PLAIN_WORD.fullmatch(text) else shlex.quote(text)


class KizunaError(Exception):
    """Something a user can put right; anything else is a bug and keeps its traceback."""

    exit_code = 1
    status = 500
    code = "internal"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        """Errors come home from other processes, though their classes are made from other arguments."""
        return _error_again, (type(self), self.args, vars(self))


def _error_again(kind: type[KizunaError], args: tuple[object, ...], state: dict[str, object]) -> KizunaError:
    """An error as it was, without calling its class."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class UsageError(KizunaError):
    """An argument or option cannot be used."""

    exit_code = 2
    status = 422
    code = "bad_input"


class UnknownCampaign(UsageError):
    """There is no campaign of this name."""

    status = 404
    code = "unknown_campaign"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"cannot find the campaign '{name}': there is none of that name. See `kizuna campaign list`.",
            field="name",
        )


class UnknownJob(UsageError):
    """There is no job of this id."""

    status = 404
    code = "unknown_job"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"cannot find the job '{job_id}': there is none of that id. It may be of another project.",
            field="id",
        )


class ChangedMeanwhile(UsageError):
    """Something was changed by somebody else after it was opened to be edited."""

    status = 409
    code = "changed_meanwhile"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"cannot save {what}: it was changed after you opened it. Nothing was saved. "
            "Compare the two, and save again what shall hold."
        )


class ConfigurationError(KizunaError):
    """`kizuna.toml` is missing or wrong."""

    exit_code = 3
    code = "bad_configuration"


class ClusterError(ConfigurationError):
    """A cluster is not there, is of another version, or cannot finish."""

    status = 503
    code = "no_cluster"


class DataError(KizunaError):
    """The events are wrong, or do not suffice for the request."""

    exit_code = 4
    status = 422
    code = "bad_data"


class UnknownCustomer(DataError):
    """A customer without any data; with `as_of`, without a score of that date.

    `similar` are known identifiers that may have been meant.
    """

    status = 404
    code = "unknown_customer"

    def __init__(self, customer_id: str, as_of: str | None = None, similar: Sequence[str] = ()) -> None:
        self.similar = tuple(similar)
        meant = f"Did you mean {' or '.join(repr(one) for one in similar)}? " if similar else ""
        why = (
            f"no event of theirs was ever ingested. {meant}"
            "Check the identifier, or run `kizuna ingest` if they are new."
            if as_of is None
            else f"the scores as of {as_of} do not have them, as they were first known later. "
            "Run `kizuna score` to include them."
        )
        super().__init__(f"cannot answer for customer '{customer_id}': {why}", field="customer_id")


class HorizonNotCovered(DataError):
    """A label whose horizon ends after the data does."""

    code = "horizon_not_covered"

    def __init__(self, as_of: str, days: int, needed: str, covered_until: str, latest: str) -> None:
        super().__init__(
            f"cannot label {as_of}: churn is decided {days} days later, so events are needed "
            f"until {needed}, but they end on {covered_until}. The latest date with a label is {latest}."
        )


class DamagedFile(DataError):
    """A data file of the store is missing or cannot be read; trying again does not help."""

    status = 500
    code = "damaged_data"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(
            f"cannot read the events: the store's file {file} is damaged ({reason}). Restore it, or the "
            "state folder, from a backup; or move the state folder away and ingest the sources again with "
            "`kizuna ingest`."
        )


class StoreAway(DataError):
    """The object store that holds the state does not answer; trying again helps."""

    status = 503
    code = "store_away"

    def __init__(self, location: str, reason: str) -> None:
        super().__init__(
            f"cannot reach the object store at {location} ({reason}). Try again when it answers."
        )


class ModelError(KizunaError):
    """There is no model to answer with, or the one there is cannot be trusted."""

    exit_code = 5
    status = 503
    code = "no_model"


class ModelFilesMissing(ModelError):
    """The files of a registered model are not where MLflow says; training again does without them."""

    def __init__(self, model: str, version: str, location: str, *, champion: bool) -> None:
        super().__init__(
            f"cannot fetch {'the champion, ' if champion else ''}version {version} of '{model}': "
            f"its files are not at {location}. Put them back, or train again with `kizuna train`."
        )
        self.version = version


class RunUnderWay(KizunaError):
    """Another run of the schedule has the project's lock; `what` says which, and how far it is."""

    exit_code = 7
    status = 409
    code = "run_under_way"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"cannot run: another run is under way ({what}). Wait until it has ended; `kizuna runs` shows "
            "how far it is."
        )


class Forbidden(KizunaError):
    """An action that the role or the scopes of the key do not allow."""

    exit_code = 2
    status = 403
    code = "wrong_scope"

    def __init__(self, name: str, permission: str, scopes: Sequence[str] = ()) -> None:
        needed = f"a key with the scope {' or '.join(repr(scope) for scope in scopes)}" if scopes else ""
        super().__init__(
            f"cannot let '{name}' do this: it takes the permission '{permission}'"
            f"{f', which {needed} has' if needed else ''}. Ask an administrator for it."
        )


class RequestRefused(KizunaError):
    """An HTTP request that the service does not answer."""

    exit_code = 2
    status = 400
    code = "refused"

    def __init__(
        self, message: str, *, field: str | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message, field=field)
        self.retry_after_seconds = retry_after_seconds


class NoKey(RequestRefused):
    """A request came without a valid API key."""

    status = 401
    code = "no_key"


class WrongPassword(RequestRefused):
    """A person could not be signed in."""

    status = 401
    code = "wrong_password"


class WrongMethod(RequestRefused):
    """A path was called with a method that it does not take."""

    status = 405
    code = "wrong_method"


class BodyTooLarge(RequestRefused):
    """The body of a request is larger than `[service] body_mb`."""

    status = 413
    code = "too_large"


class NotJson(RequestRefused):
    """The body of a request is not JSON."""

    status = 415
    code = "not_json"


class TooFast(RequestRefused):
    """A key sends more requests per second than it may."""

    status = 429
    code = "too_fast"


class Overloaded(RequestRefused):
    """The service has as much work waiting as it takes."""

    status = 503
    code = "overloaded"


class TooSlow(RequestRefused):
    """An answer took longer than a caller is made to wait."""

    status = 503
    code = "too_slow"


class Unavailable(RequestRefused):
    """The disk or the database does not answer."""

    status = 503
    code = "unavailable"
