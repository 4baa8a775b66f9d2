"""Answers as JSON. It refuses to know how anything is encoded."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Response

from services.api.encoding import encoded

JSON: Final = "application/json"


class Answer(Response):
    """A JSON answer of what `encoded` takes."""

    media_type = JSON

    def render(self, content: Any) -> bytes:
        """The document as UTF-8 JSON."""
        return encoded(content)
