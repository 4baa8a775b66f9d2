"""Measures how fast Citygauge is and what a reading costs, beside other ways to do the same work."""
