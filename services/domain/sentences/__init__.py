"""What people read of an alert, as data and in their language: templates in one file for each language."""
