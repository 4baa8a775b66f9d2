"""Fixtures for every test; they live in files named for what they bring. And what Hypothesis must not judge: speed."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.embedded_fixtures", "tests.deployed_fixtures", "tests.api_fixtures"]

# On top of Hypothesis's own choice, which in CI makes the same examples each time.
settings.register_profile(
    "citygauge",
    settings(),
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.function_scoped_fixture),
)
settings.load_profile("citygauge")
