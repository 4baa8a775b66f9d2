"""The command that shows what ingest would make of a message."""

from __future__ import annotations


def decode() -> None:
    """x"""
