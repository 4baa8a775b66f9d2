"""The HTTP interface: sensors, readings, alerts and their live stream, and the operators' console."""
