"""Alerts in the database: the log and what it folds into, who is told, what holds it back, how well all of it works."""
