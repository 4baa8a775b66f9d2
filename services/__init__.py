"""Citygauge: water meters and traffic sensors in, leaks and congestion out.

Each sub-package is one room of the house; ARCHITECTURE.md is the map.
"""
