"""Slow, plain versions of the fast algorithms: short enough to be read and believed."""
