"""Compares alerts with the labelled truth of a case: which events were found, how soon, and what was a false alarm.

Own implementation of the rules that labelled cases describe (families, windows, grace, episodes). Everything but
`case_files` is pure. It refuses to run detectors and to look at anything but when an alert was told, where, and of
which kind: an `AlertLine.started_at` never earns a point. An anomaly score for each reading (the rules of NAB) would
be a second way to score and has its place here as a file of its own.
"""
