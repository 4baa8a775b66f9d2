"""What people are told: the outbox, its deliveries, and what was published for emergency services."""
