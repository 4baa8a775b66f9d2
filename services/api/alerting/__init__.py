"""Alerts over HTTP: what there is, what people do about it, what holds it back, who was told, how well it goes."""
