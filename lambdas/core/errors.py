"""Every error this project raises on purpose.

A `PipelineError` is one line for a person: what is wrong, where, and what to do about it. Entry points (a Lambda
handler, the command) catch `PipelineError` once and show its text; anything else is a defect and keeps its traceback.
"""

from __future__ import annotations

from lambdas.core.gates import DATE_IMPOSSIBLE, INCOMPLETE, NOT_A_CHART, UNREADABLE, Gate


class PipelineError(Exception):
    """Base of all expected errors: `str(error)` is one line that says what, where and what to do."""


class ConfigurationError(PipelineError):
    """A stage's configuration, an environment variable or a name is not usable."""


class InvalidChart(ConfigurationError):
    """A chart's name, period or playlist is not usable."""


class NothingToReport(PipelineError):
    """A chart has no published date, so no page can be made of it."""


class InvalidKey(PipelineError):
    """An S3 key does not follow the layout of the raw zone or the warehouse."""


class InvalidDocument(PipelineError):
    """A raw document or an input file cannot be used, and never will be: it is refused or quarantined.

    `gate` is the quality gate that it did not pass. `version_id` is told by a store that refuses to read an object.
    """

    gate: Gate = UNREADABLE

    def __init__(self, message: str, *, gate: Gate | None = None, version_id: str | None = None) -> None:
        super().__init__(message)
        if gate is not None:
            self.gate = gate
        self.version_id = version_id

    @property
    def reason(self) -> str:
        """What goes on record: the gate's name and the message."""
        return self.gate.say(self)


class NotAChart(InvalidDocument):
    """The input is readable but holds no chart: a single track, a search result, a table of something else."""

    gate = NOT_A_CHART


class UnnamedChart(InvalidDocument):
    """Nothing in the input says which chart it is of."""


class UndatedChart(InvalidDocument):
    """Nothing in the input says which chart date it belongs to."""

    gate = DATE_IMPOSSIBLE


class UnnamedUndatedChart(UnnamedChart, UndatedChart):
    """Nothing in the input says which chart it is of, nor which day."""

    gate = UNREADABLE


class PartialChart(InvalidDocument):
    """The input is one page of a longer chart, or its pages do not add up."""

    gate = INCOMPLETE


class SchemaMismatch(InvalidDocument):
    """A warehouse object's columns clash with the schema of its table (a type is never coerced)."""


class NewerSchema(SchemaMismatch):
    """A newer version wrote a warehouse object: this one could only write it back with less in it."""


class WriteConflict(PipelineError):
    """An object was changed by another writer more often than the retries allow: try the same work again later."""


class SourceError(PipelineError):
    """A provider could not give the chart. Subclasses tell the walls apart."""


class CredentialsMissing(SourceError):
    """No usable Spotify credentials are stored for the stage."""


class CredentialsRejected(SourceError):
    """Spotify refuses the credentials (401, or `invalid_client` from the token endpoint)."""


class AuthorizationExpired(CredentialsRejected):
    """The user has to sign in again: the sign-in has ended or was taken back (`invalid_grant`)."""


class AccessForbidden(SourceError):
    """Spotify answers 403: these credentials may not read what was asked for; or nobody may without a login."""


class ChartNotFound(SourceError):
    """Spotify answers 404: no such playlist, or one of Spotify's own that the app may not see.

    Also where an answer of several charts does not hold the one that is asked for.
    """


class MetadataOnly(SourceError):
    """Spotify answers 200 with a playlist that has no items container: it is not the user's own."""


class EmptyChart(SourceError):
    """Spotify answers 200 with no entries at all. An empty chart is never published."""


class InconsistentChart(SourceError):
    """The pages do not make up one chart: short, repeated, or a total that disagrees."""


class RateLimited(SourceError):
    """Spotify answers 429 and asks to wait longer than the run's budget.

    `retry_after` is in seconds, or None where Spotify did not say; `quota_exceeded` tells the 24-hour quota of a
    Development Mode app (`"reason":"QUOTA_EXCEEDED"`) from the ordinary 30-second window.
    """

    def __init__(self, message: str, *, retry_after: float | None, quota_exceeded: bool) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.quota_exceeded = quota_exceeded


class SourceUnavailable(SourceError):
    """Spotify keeps failing (5xx, time-outs, broken answers) past the run's deadline budget."""


class NoProviderServes(SourceError):
    """None of a chart's several providers could give it: the message names the reason of each."""
