"""History over HTTP: readings, buckets, litres, roads, zones, completeness and exports, in the form that is asked."""
