"""`python -m services.cli` is `citygauge`."""

from services.cli import main

main()
