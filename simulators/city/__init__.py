"""A city: every field of a scenario at once, in one virtual time."""
