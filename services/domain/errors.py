"""The tree of errors: each carries its facts as attributes and knows whether a retry can help.

It refuses to choose HTTP statuses or log lines; the borders (API, command line) do that in one place each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

_NAMED: Final = 20


class CitygaugeError(Exception):
    """Base of every error that Citygauge raises on purpose.

    Attributes:
        retriable: whether the same call may succeed later without a change by a person.
    """

    retriable: ClassVar[bool] = False


class InvalidInput(CitygaugeError):
    """A value from outside is wrong. `field` names it, `value` is what came, `allowed` says what would do."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}: {_short(value)} is not valid; {allowed}")


class SettingError(CitygaugeError):
    """A setting stops the start. `name` is the setting as the person wrote it."""

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"setting {name}: {problem}")


class UnknownSensor(CitygaugeError):
    """No sensor of this id is registered."""

    def __init__(self, sensor_id: str) -> None:
        self.sensor_id = sensor_id
        super().__init__(f"sensor {_short(sensor_id)} is not registered")


class UnknownSensors(UnknownSensor):
    """Several ids of which no sensor is registered; `sensor_ids` has them all, the sentence the first few."""

    def __init__(self, sensor_ids: Sequence[str]) -> None:
        super().__init__(sensor_ids[0])
        self.sensor_ids = tuple(sensor_ids)
        if len(sensor_ids) > 1:
            named = ", ".join(_short(each) for each in sensor_ids[:_NAMED])
            more = f" and {len(sensor_ids) - _NAMED} others" if len(sensor_ids) > _NAMED else ""
            self.args = (f"sensors {named}{more} are not registered",)


class UnknownPlace(CitygaugeError):
    """No sensor belongs to a zone or a road of this name. `kind` says which of the two."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"no sensor belongs to the {kind} {_short(name)}")


class UnknownExport(CitygaugeError):
    """No export of this id has a file, or is known at all."""

    def __init__(self, export_id: str, problem: str = "it does not exist") -> None:
        self.export_id = export_id
        super().__init__(f"export {_short(export_id)}: {problem}")


class UnknownPreview(CitygaugeError):
    """No preview of rules of this id is kept."""

    def __init__(self, preview_id: str) -> None:
        self.preview_id = preview_id
        super().__init__(f"preview {_short(preview_id)} does not exist")


class UnknownAlert(CitygaugeError):
    """No alert of this id exists."""

    def __init__(self, alert_id: str) -> None:
        self.alert_id = alert_id
        super().__init__(f"alert {_short(alert_id)} does not exist")


class UnknownSuppression(CitygaugeError):
    """No exemption or maintenance window of this id exists."""

    def __init__(self, kind: str, id_: str) -> None:
        self.kind, self.id = kind, id_
        super().__init__(f"{kind} {_short(id_)} does not exist")


class UnknownMessage(CitygaugeError):
    """No rejected message of this id is kept."""

    def __init__(self, message_id: int) -> None:
        self.message_id = message_id
        super().__init__(f"rejected message {message_id} does not exist")


class UnknownKey(CitygaugeError):
    """No valid API key of this name exists."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"API key {_short(name)} does not exist")


class InvalidTransition(CitygaugeError):
    """The alert's state does not allow this change; `allowed` names the changes that it does allow."""

    def __init__(self, change: str, state: str, allowed: tuple[str, ...]) -> None:
        self.change, self.state, self.allowed = change, state, allowed
        can = ", ".join(allowed) or "nothing"
        super().__init__(
            f"an alert that is {state} cannot be changed by '{change}'; allowed: {can}"
        )


class Conflict(CitygaugeError):
    """Somebody else changed the thing first; `current` is the newer version, as plain data."""

    def __init__(self, what: str, expected: int, current: Mapping[str, object]) -> None:
        self.what, self.expected, self.current = what, expected, current
        super().__init__(f"{what} was changed by somebody else since version {expected}")


class Unavailable(CitygaugeError):
    """A component (broker, database, channel) does not answer; trying again later may help."""

    retriable: ClassVar[bool] = True

    def __init__(self, component: str, problem: str) -> None:
        self.component, self.problem = component, problem
        super().__init__(f"{component} is not available: {problem}")


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
