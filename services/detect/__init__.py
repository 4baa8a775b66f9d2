"""The detectors: a feed of readings in, conditions and alerts out."""
