"""Detectors, one question a file: rows of numpy in, conditions out; no clock, no input or output, no logging."""
