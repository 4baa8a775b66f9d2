"""Simulated motorways: demand, queues, and the stations that see them."""
