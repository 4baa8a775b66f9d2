"""What can go wrong, with the API's own words and the facts as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CitygaugeApiError(Exception):
    """The API refused. `status` is HTTP's, `problem` its RFC 9457 details: type, field, value, allowed..."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, dict(problem)
        super().__init__(f"{status}: {self.problem.get('detail', 'no details')}")

    @property
    def field(self) -> str | None:
        """The parameter that is wrong (422)."""
        return self.problem.get("field")

    @property
    def allowed(self) -> str | None:
        """What would do instead (422)."""
        return self.problem.get("allowed")


class ExportFailed(Exception):
    """An export ended without a file. `job` is what the API says of it."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = dict(job)
        super().__init__(
            f"export {job['id']} is {job['state']}: {job.get('problem') or 'no reason given'}"
        )


class DownloadDamaged(Exception):
    """A file arrived with another SHA-256 than the API names."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(f"the file has the SHA-256 {found}; it should be {expected}")
