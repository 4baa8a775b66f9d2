"""The private TimescaleDB and MQTT broker of the demo and of the tests.

Both are real servers from Debian's packages, run from a folder in the user's cache and tied to the
life of the process that starts them. Production brings its own and does not use this package.
"""
