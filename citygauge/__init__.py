"""What other programs import of Citygauge: its client. The services are an application and no library."""
