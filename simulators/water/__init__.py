"""Simulated homes with water meters, and the inlet, pressure and tank of their district."""
