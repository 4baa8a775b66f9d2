"""The one command, `citygauge`: the composition root, alone in importing every service.

Each group of commands has a file here. A service is imported when its command runs, so that every command starts
fast. It refuses to show a traceback for an error that Citygauge raises on purpose.
"""

from __future__ import annotations

import sys
from typing import Final

from services.cli.commands import COMMANDS, application
from services.domain.errors import CitygaugeError, InvalidInput, SettingError
from services.domain.sensor_file import BadSensorFile

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130


def main() -> None:
    """Run the command; errors become one sentence on stderr and the documented exit status."""
    asked = sys.argv[1:2]
    try:
        application(asked if asked and asked[0] in COMMANDS else COMMANDS)()
    except (SettingError, InvalidInput, BadSensorFile) as error:
        _end(error, WRONG_USE)
    except CitygaugeError as error:
        _end(error, FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; flushing the rest would fail again.
        sys.stderr.close()
        sys.exit(FAILED)


def _end(error: Exception, status: int) -> None:
    print(f"citygauge: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(status)
