"""Simulated field hardware: water meters and traffic stations that speak over MQTT, with faults and the truth of them.

Simulators know the domain's words alone; they reach the services over MQTT like any device does.
"""
