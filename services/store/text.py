"""Text as PostgreSQL takes it: no NUL, no lone surrogates; and a pattern that finds a piece of text literally."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text with what PostgreSQL cannot hold replaced by U+FFFD."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def containing(text: str) -> str:
    """A pattern for ILIKE that matches any text which contains `text`, read literally."""
    literal = storable(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"
