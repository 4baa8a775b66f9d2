"""Streaming statistics over many sensors: one row a sensor, numpy in and numpy out.

Every window skips NaN (missing is not zero), takes rows that occur once in a call, and gives the same result
however a stream is cut into calls. The slow, plain version of each lives in tests/oracles.
"""
