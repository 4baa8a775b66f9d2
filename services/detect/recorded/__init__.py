"""The live detectors on recorded readings: cases, backtests, scores of every reading, comparisons."""
