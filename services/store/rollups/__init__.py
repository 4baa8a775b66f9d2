"""Summaries that are kept: how they follow the readings, and how questions are answered from them exactly."""
