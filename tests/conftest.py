"""Fixtures for every test; they live in files named for what they bring. What Hypothesis must not judge: speed.

And the order of the files: the longest first, so that no worker is left alone with one at the end.
"""

import gc
from collections.abc import Generator

import pytest
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

LONGEST = (
    "test_faults",
    "test_demo",
    "test_console",
    "test_everyone",
    "test_backtest",
    "test_crash_detect",
    "test_scorecard",
    "test_detect_late_arrival",
    "test_detect_late_slices",
    "test_cli_database",
    "test_detect_zones",
    "test_ingest_workers",
    "test_detect_roads",
    "test_api_fuzz",
    "test_detect_core",
    "test_cli",
    "test_embedded",
    "test_deploy_services",
    "test_ingest_spool",
    "test_ingest_faults",
    "test_crash_late",
    "test_feed_silent",
    "test_scenario",
    "test_detect_late",
    "test_detect_meters",
    "test_cli_api",
    "test_ingest_backlog",
)
"""The files of ten seconds and more on two cores, in this order."""
FOLDERS = ("acceptance", "faults", "integration", "property", "unit")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected lives as long as the session: garbage is not looked for among it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; within a file the order stays.

    The browser's come last: they leave a loop running in the main thread, where other tests want one of their own.
    """

    def place(item: pytest.Item) -> tuple[bool, int, int]:
        name, folder = item.path.stem, item.path.parent.name
        return (
            folder == "browser",
            LONGEST.index(name) if name in LONGEST else len(LONGEST),
            FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS),
        )

    items.sort(key=place)
