"""What goes wrong: faults of devices in time, and faults of delivery."""
