"""The words of Citygauge: sensors, readings, units, alerts. No input or output, no clock, no framework."""
