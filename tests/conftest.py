"""Fixtures for every test; they live in files named for what they bring."""

pytest_plugins = ["tests.embedded_fixtures", "tests.deployed_fixtures", "tests.api_fixtures"]
