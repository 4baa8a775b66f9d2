"""Alert events to people: from the durable outbox over routes to channels, at least once, each route by itself."""
