"""Readings on their way into the database: written once, corrected where told so, compared with what is there."""
