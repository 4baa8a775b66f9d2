"""Questions about what was stored: readings as they are, summaries by buckets, litres, completeness, exports."""
