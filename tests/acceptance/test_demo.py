"""The demo, unattended: the books balance, a leak and a jam are told, one clears, and nothing of it is left."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.domain.instant import parse_time
from services.embedded.broker import EmbeddedBroker
from services.embedded.broker_configuration import DEVICE_USER
from services.embedded.prefix import Prefix
from services.store.connection import connect
from services.store.rejected import page
from simulators.publish import Publisher
from tests.embedded_fixtures import memory
from tests.terminal import CTRL_C, Terminal
from tests.tether import tethered
from tests.waiting import PATIENCE_S, wait_until

COMMAND = [sys.executable, "-m", "services.cli", "demo"]
ROOT = Path(__file__).parents[2]
NOBODY = 65534


def environment(tmp_path: Path) -> dict[str, str]:
    """This process's environment without addresses, and temporary files of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CITYGAUGE_") or name == "CITYGAUGE_CACHE_DIR"
    }
    kept.pop("DATABASE_URL", None)
    kept.pop("MQTT_URL", None)
    tmp_path.chmod(0o755)
    return {**kept, "TMPDIR": str(folder_for_servers(tmp_path))}


def folder_for_servers(tmp_path: Path) -> Path:
    """A folder that the servers' account can reach: pytest's own is closed to others."""
    folder = (memory() or Path("/tmp")) / f"citygauge-test-{os.getpid()}-{tmp_path.name}"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


@pytest.fixture
def surroundings(prefix: Prefix, tmp_path: Path) -> Iterator[dict[str, str]]:
    yield environment(tmp_path)
    shutil.rmtree(folder_for_servers(tmp_path))


def with_own_cache(surroundings: dict[str, str], prefix: Prefix) -> tuple[Path, dict[str, str]]:
    """A cache folder that has the servers' programs and nothing else, and an environment that names it."""
    cache = Path(surroundings["TMPDIR"]) / "cache"
    cache.mkdir(mode=0o755)
    (cache / prefix.root.name).symlink_to(prefix.root)
    return cache, {**surroundings, "CITYGAUGE_CACHE_DIR": str(cache)}


def left_by(surroundings: dict[str, str]) -> list[str]:
    """What lies in the folder for temporary files, and what still runs."""
    files = [path.name for path in Path(surroundings["TMPDIR"]).iterdir()]
    return files + processes_with(surroundings["TMPDIR"])


def processes_with(text: str) -> list[str]:
    """Command lines and environments of processes that mention a text, other than this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            said = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if text.encode() in said:
            found.append(line.replace(b"\0", b" ").decode())
    return found


def has_shown_everything(client: httpx.Client) -> bool:
    """Whether the city has told of a leak and of a jam, and of the end of something, and has had its bad readings."""
    alerts = client.get("/v1/alerts", params={"limit": 1000}).raise_for_status().json()["items"]
    total = client.get("/v1/ingest/accounting").raise_for_status().json()["total"]
    told = {alert["rule"] for alert in alerts}
    return (
        told >= {"continuous_flow", "congestion"}
        and any(alert["state"] == "cleared" for alert in alerts)
        and total["stored"] > 50_000
        and total["duplicate"] > 0
        and total["rejected"] > 0
    )


def test_the_demo_runs_balances_and_leaves_nothing(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "said"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            tethered([*COMMAND, "--json"]), env=surroundings, stdout=subprocess.PIPE, stderr=said
        ) as demo,
    ):
        assert demo.stdout is not None

        def named(pattern: str) -> str:
            """What the demo has said in a line."""
            found = wait_until(
                lambda: re.search(pattern, log.read_text(), re.MULTILINE) or demo.poll(),
                2 * PATIENCE_S,
                pattern,
            )
            assert isinstance(found, re.Match), log.read_text()
            return found[1]

        url = named(r"^Console +(http://[\d.:]+)/login")
        key = Path(named(r"^API key +in (.+)$")).read_text().strip()
        named(r"^(Ready) after")
        said_first = log.read_text()
        detection = said_first.rindex("Starting ingest and detection")
        assert detection < said_first.index("Console ")  # it need not wait
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(
            base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False
        ) as client:
            wait_until(lambda: has_shown_everything(client), 2 * PATIENCE_S, "leak, jam and end")
        demo.send_signal(signal.SIGINT)
        result = json.loads(demo.stdout.read())
    assert demo.returncode == 0, log.read_text()
    assert result["published"] == result["stored"] + result["duplicates"] + result["rejected"]
    assert result["in_flight"] == 0
    assert result["stored"] > 1000
    assert result["duplicates"] > 0
    assert result["rejected"] > 0
    assert 0 < result["lag_ms"]["p50"] <= result["lag_ms"]["p99"]
    assert 0 < result["alert_lag_ms"]["p50"] <= result["alert_lag_ms"]["p99"]
    alerts = result["alerts"]
    rules = {alert["rule"] for alert in alerts}
    assert {"continuous_flow", "congestion"} <= rules
    assert any(alert["state"] == "cleared" for alert in alerts)
    for alert in alerts:
        assert {"id", "rule", "subject", "severity", "sentence", "evidence", "raised_at"} <= set(
            alert
        )
        assert alert["sentence"]
        assert parse_time(alert["raised_at"])
    assert left_by(surroundings) == []


@pytest.mark.parametrize(
    ("number", "moment", "status"),
    [
        (signal.SIGTERM, "Waiting for the history", 130),
        (signal.SIGKILL, "Starting the API", -signal.SIGKILL),
    ],
    ids=["SIGTERM while its past is prepared", "SIGKILL"],
)
def test_nothing_is_left_however_it_ends(
    surroundings: dict[str, str],
    prefix: Prefix,
    number: signal.Signals,
    moment: str,
    status: int,
) -> None:
    cache, own = with_own_cache(surroundings, prefix)
    given = own if number is signal.SIGTERM else surroundings
    with subprocess.Popen(
        tethered(COMMAND),
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith(moment):
                break
        demo.send_signal(number)
        said = demo.stdout.read()
    assert demo.returncode == status, said
    assert "Traceback" not in said
    if number is signal.SIGKILL:
        # Nobody was left to tidy up files; the next demo sweeps them.
        ended = partial(processes_with, surroundings["TMPDIR"])
        wait_until(lambda: not ended(), what="every process of the demo to end")
    else:
        left = {path.name for path in cache.iterdir()}
        assert left == {prefix.root.name, "cluster.lock"}, "no half of a city is kept"
        shutil.rmtree(cache)
        assert left_by(surroundings) == []


def test_ctrl_c_in_make_demo_leaves_no_process_no_port_and_no_lock(
    surroundings: dict[str, str], prefix: Prefix
) -> None:
    cache, given = with_own_cache(surroundings, prefix)
    # The folder of packages is not made anew below the running tests.
    make = ["make", "--assume-old=.venv/ready", f"BIN={Path(sys.executable).parent}", "demo"]
    with Terminal(make, given, size=(110, 40), folder=ROOT) as terminal:
        terminal.wait_for("Open alerts: ")
        ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", terminal.shown)}
        assert len(ports) == 4
        assert all(listens(port) for port in ports)
        terminal.press(CTRL_C)
        terminal.wait_end()
    assert "sensors reporting" in terminal.shown
    assert "Published " in terminal.shown
    assert "Traceback" not in terminal.shown
    assert not any(listens(port) for port in ports)
    assert processes_with(surroundings["TMPDIR"]) == []
    left = sorted(path.name for path in cache.iterdir())
    assert left == [
        *(path.name for path in cache.glob("cluster-*")),
        "cluster.lock",
        prefix.root.name,
    ]
    assert len(left) == 3
    shutil.rmtree(cache)
    assert left_by(surroundings) == []


def listens(port: int) -> bool:
    """Whether somebody takes connections on a port of this machine."""
    with socket.socket() as caller:
        caller.settimeout(PATIENCE_S)
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_a_second_city_begins_with_the_past_that_the_first_one_had(
    surroundings: dict[str, str], prefix: Prefix
) -> None:
    cache, given = with_own_cache(surroundings, prefix)
    command = [*COMMAND, "--for", "1", "--json"]
    lived, begun, learnt = [], [], []
    for _ in range(2):
        with subprocess.Popen(
            tethered(command), env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stderr is not None
            assert demo.stdout is not None
            said = []
            for line in demo.stderr:
                said.append(line)
                if line.startswith("Ready after"):
                    [log] = Path(surroundings["TMPDIR"]).glob("citygauge-demo.*/detect.log")
                    learnt.append("history is read" in log.read_text())
            result = json.load(demo.stdout)
        assert demo.returncode == 0, said
        lived.append("Waiting for the history that detection learns from\n" in said)
        begun.append(result["simulated_until"])
        assert 0 < result["published"] < 10_000, "the past was published before"
    assert lived == [True, False]
    assert learnt == [False, False], "its detectors begin with a checkpoint"
    assert begun[0][:10] == begun[1][:10]
    shutil.rmtree(cache)
    assert left_by(surroundings) == []


def test_given_servers_are_used_and_a_reading_too_many_is_the_end_of_the_balance(
    surroundings: dict[str, str], own_broker: EmbeddedBroker, database_url: str
) -> None:
    given = {**surroundings, "DATABASE_URL": database_url, "MQTT_URL": own_broker.url()}
    command = tethered([*COMMAND, "--json", "--sensors", "16"])
    said = []

    def refused() -> bool:
        with connect(database_url, "test") as conn:
            topics = {each.topic for each in page(conn, limit=1000).items}
        return "citygauge/v1/water/stranger/reading" in topics

    with subprocess.Popen(
        command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stderr:
            said.append(line)
            if line.startswith("Ready after"):
                with Publisher(own_broker.url(DEVICE_USER), "test-stranger") as stranger:
                    stranger.publish("citygauge/v1/water/stranger/reading", b"{}", 1)
                    stranger.flush()
                wait_until(refused, what="the stranger's reading in the books")
                demo.send_signal(signal.SIGINT)
        result = json.load(demo.stdout)
    assert demo.returncode == 1
    assert not any(line.startswith("Starting TimescaleDB") for line in said)
    assert not any(line.startswith("Starting the MQTT broker") for line in said)
    accounted = result["stored"] + result["duplicates"] + result["rejected"]
    assert accounted == result["published"] + 1
    assert result["balanced"] is False
    assert said[-1] == (
        "citygauge: the books do not balance: 1 readings came that this demo did not publish\n"
    )


def test_a_kept_city_goes_on_where_it_was(surroundings: dict[str, str], prefix: Prefix) -> None:
    cache, given = with_own_cache(surroundings, prefix)
    ends, said = [], []
    for _ in range(2):
        done = subprocess.run(
            [*COMMAND, "--for", "1", "--json", "--sensors", "16", "--keep"],
            env=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        ends.append(result["simulated_until"])
        said += [done.stdout, done.stderr]
    assert ends[0] < ends[1]
    assert 0 < result["published"] < 1000
    assert result["duplicates"] < result["stored"]
    said += [file.read_text(errors="replace") for file in (cache / "demo-16").rglob("*.log")]
    secrets = [*(cache / "demo-16").rglob("*-password"), cache / "demo-16" / "api-key"]
    assert len(secrets) >= 4  # database, both users of the broker, API
    for file in secrets:
        assert file.stat().st_mode & 0o077 == 0, file
        secret = file.read_text().strip()
        assert len(secret) > 20
        assert not any(secret in text for text in said), f"{file.name} was told"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_user_without_any_rights_can_run_it(surroundings: dict[str, str], prefix: Prefix) -> None:
    home = Path(surroundings["TMPDIR"]) / "home"
    cache = home / ".cache" / "citygauge"
    cache.mkdir(parents=True)
    (cache / prefix.root.name).symlink_to(prefix.root)
    for folder in (home, home / ".cache", cache, home.parent):
        os.chown(folder, NOBODY, NOBODY)
    given = {**surroundings, "HOME": str(home), **python_for_everybody()}
    given.pop("CITYGAUGE_CACHE_DIR", None)
    given.pop("XDG_CACHE_HOME", None)
    words = shlex.join([given["PYTHON"], *COMMAND[1:], "--for", "1", "--json", "--sensors", "16"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"umask 077; exec {words}"],
        env=given,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["balanced"]
    shutil.rmtree(home)
    assert left_by(surroundings) == []


def python_for_everybody() -> dict[str, str]:
    """An environment whose PYTHON everybody may run, with this environment's packages."""
    packages = [str(ROOT), sysconfig.get_path("purelib")]
    for python in (sys.executable, "/usr/bin/python3"):
        given = {**os.environ, "PYTHON": python, "PYTHONPATH": os.pathsep.join(packages)}
        script = f"import sys, numpy; assert sys.version_info[:2] == {sys.version_info[:2]}"
        try:
            done = subprocess.run(
                [python, "-c", script],
                env=given,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return {"PYTHON": python, "PYTHONPATH": given["PYTHONPATH"]}
    pytest.skip("no Python of this version that an ordinary user may run")
