"""The one command, `citygauge`: the composition root, alone in importing every service.

Each group of commands has a file here. A service is imported when its command runs, so that every command starts
fast. It refuses to show a traceback for an error that Citygauge raises on purpose.
"""

from __future__ import annotations

import sys
from typing import Final

import typer

from services.cli import (
    backtest,
    decode,
    demo,
    doctor,
    expect,
    export,
    keys,
    languages,
    maintain,
    notify,
    preview_job,
    reference,
    rejected,
    replay,
    score,
    sensors,
    serve,
    simulate,
    takeout,
    tune,
    workers,
)
from services.domain.errors import CitygaugeError, InvalidInput, SettingError
from services.domain.sensor_file import BadSensorFile

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130

_HELP = """
Water meters and traffic sensors over MQTT into TimescaleDB; leaks and congestion out, once and in plain words.

New here? `citygauge demo` shows a whole city on this machine. `citygauge doctor` says what is missing.

Exit status: 0 done, 1 failed, 2 wrong use or a wrong setting, 130 interrupted.
"""

app = typer.Typer(
    name="citygauge",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_TRY = "Try it"
_RUN = "Run the services (each needs DATABASE_URL; ingest also MQTT_URL)"
_FEED = "Feed it"
_LOOK = "Look after it"

app.command("demo", rich_help_panel=_TRY)(demo.demo)
app.command("doctor", rich_help_panel=_TRY)(doctor.doctor)
app.command("migrate", rich_help_panel=_RUN)(serve.migrate)
app.command("ingest", rich_help_panel=_RUN)(serve.ingest)
app.command("detect", rich_help_panel=_RUN)(serve.detect)
app.add_typer(notify.app, name="notify", rich_help_panel=_RUN)
app.command("api", rich_help_panel=_RUN)(serve.api)
app.add_typer(sensors.app, name="sensors", rich_help_panel=_FEED)
app.command("simulate", rich_help_panel=_FEED)(simulate.simulate)
app.command("replay", rich_help_panel=_FEED)(replay.replay)
app.command("decode", rich_help_panel=_LOOK)(decode.decode)
app.command("backtest", rich_help_panel=_LOOK)(backtest.backtest)
app.command("score", rich_help_panel=_LOOK)(score.score)
app.command("tune", rich_help_panel=_LOOK)(tune.tune)
app.add_typer(expect.app, name="expect", rich_help_panel=_LOOK)
app.add_typer(rejected.app, name="rejected", rich_help_panel=_LOOK)
app.add_typer(workers.app, name="workers", rich_help_panel=_LOOK)
app.command("maintain", rich_help_panel=_LOOK)(maintain.maintain)
app.add_typer(keys.app, name="keys", rich_help_panel=_LOOK)
app.command("export", rich_help_panel=_LOOK)(export.export)
app.command("takeout", rich_help_panel=_LOOK)(takeout.takeout)
app.command("languages", rich_help_panel=_LOOK)(languages.languages)
app.command("settings", rich_help_panel=_LOOK)(reference.settings)
app.command("reference", hidden=True)(reference.write_reference)
app.command(preview_job.COMMAND, hidden=True)(preview_job.preview_job)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("citygauge"))
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False, "--version", help="Show the version and stop.", is_eager=True, callback=_show_version
    ),
) -> None:
    languages.learn()


def main() -> None:
    """Run the command; errors become one sentence on stderr and the documented exit status."""
    try:
        app()
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
