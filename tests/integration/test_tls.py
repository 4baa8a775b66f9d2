"""Broker and API behind TLS, with the certificates that deploy's script makes and the lines that its page shows."""

import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.cli.broker_probe import probe
from services.domain.errors import SettingError, Unavailable
from services.embedded.prefix import Prefix
from services.embedded.processes import free_port
from services.ingest.service import run
from services.ingest.settings import IngestSettings
from services.store.accounting import totals
from services.store.connection import connect
from simulators.publish import Publisher
from tests.api_server import METER, new_key, register, serving
from tests.deployed_fixtures import running_broker, variable
from tests.deployment import DEPLOY
from tests.ingest_worker import working
from tests.waiting import PATIENCE_S, wait_until

TOPIC = "citygauge/v1/water/M-17/reading"
PAYLOAD = b'{"time":"2026-03-01T00:00:00Z","values":{"register":7},"units":{"register":"m3"}}'


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that deploy/make-certificates.sh fills."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    folder = tmp_path_factory.mktemp("tls")
    authority = folder / "authority.pem"
    made: list[str] = []
    for names in (["old.example.org"], ["localhost", "127.0.0.1"]):
        subprocess.run(
            [DEPLOY / "make-certificates.sh", *names],
            env={**os.environ, "CERTIFICATES": str(folder)},
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        made.append(authority.read_text())
    assert made[0] == made[1], "a new certificate needs no new trust"
    return folder


@dataclass(frozen=True)
class Broker:
    """A broker with a listener that speaks TLS."""

    port: int
    password: str

    def url(self, ca: object) -> str:
        """The services' address."""
        return f"mqtts://citygauge-service:{self.password}@127.0.0.1:{self.port}?ca={ca}"


@pytest.fixture
def broker(
    prefix: Prefix, open_folder: Path, secrets: dict[str, str], certificates: Path
) -> Iterator[Broker]:
    """Mosquitto as deploy/README.md says under 'Let others in'."""
    [lines] = re.findall(
        r"^```conf\n(.*?)^```$", (DEPLOY / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (open_folder / "tls").mkdir()
    for name in ("server.pem", "server.key"):
        shutil.copy(certificates / name, open_folder / "tls")
    port = free_port()
    assert "listener 8883\n" in lines
    more = lines.replace("listener 8883", f"listener {port} 127.0.0.1")
    with running_broker(prefix, open_folder, secrets, more):
        url = variable(secrets["citygauge.env"], "MQTT_URL")
        yield Broker(port, url.split(":")[2].partition("@")[0])


def test_devices_doctor_and_ingest_meet_behind_tls(
    broker: Broker, certificates: Path, database_url: str
) -> None:
    register(database_url, [METER])
    url = broker.url(certificates / "authority.pem")
    found = probe(url, 10, 300)
    assert (found.subscribed, found.kept) == (True, 10)
    with (
        connect(database_url, "test", autocommit=True) as conn,
        working(database_url, url),
        Publisher(url, "test-tls") as publisher,
    ):
        publisher.publish(TOPIC, PAYLOAD, 1)
        assert publisher.flush().readings == 1
        wait_until(lambda: totals(conn).stored == 1, what="the reading")


def test_a_broker_of_another_authority_is_not_spoken_to(broker: Broker, certificates: Path) -> None:
    for use in (probe, lambda url, *_: Publisher(url, "test-tls").__enter__()):
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            use(f"mqtts://device:wrong@127.0.0.1:{broker.port}", 0, 300)


@pytest.mark.parametrize(
    ("name", "words"), [("missing.pem", "No such file"), ("server.key", "no certificate in PEM")]
)
def test_certificates_that_cannot_be_used_are_named(
    certificates: Path, name: str, words: str
) -> None:
    url = f"mqtts://somebody:secret@127.0.0.1:1?ca={certificates / name}"
    uses = (
        lambda: probe(url, 0, 300),
        lambda: Publisher(url, "test-tls"),
        lambda: run(IngestSettings(), "postgresql://nobody@127.0.0.1:1/", url, None),  # type: ignore[arg-type]
    )
    for use in uses:
        with pytest.raises(SettingError, match=f"{name} cannot be used: .*{words}") as raised:
            use()
        assert "secret" not in str(raised.value)


def test_the_api_speaks_https_and_keeps_the_cookie_to_it(
    certificates: Path, database_url: str
) -> None:
    pair = {
        "tls_certificate": str(certificates / "server.pem"),
        "tls_key": str(certificates / "server.key"),
    }
    key = new_key(database_url, "read")
    with serving(database_url, **pair) as api:
        assert api.url.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=certificates / "authority.pem")
        with httpx.Client(
            base_url=api.url, verify=trusted, trust_env=False, timeout=PATIENCE_S
        ) as client:
            answer = client.post("/v1/session", json={"key": key})
            assert "; Secure" in answer.headers["set-cookie"]
            assert client.get("/v1/session").json()["name"] == "Ana Torres"
        with (
            httpx.Client(base_url=api.url, trust_env=False, timeout=PATIENCE_S) as stranger,
            pytest.raises(httpx.ConnectError, match=r"(?i)certificate"),
        ):
            stranger.get("/healthz")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"tls_certificate": "server.pem"}, "needs its key"),
        ({"tls_certificate": "server.pem", "tls_key": "authority.key"}, "belong together"),
        ({"tls_certificate": "none.pem", "tls_key": "server.key"}, "No such file"),
    ],
)
def test_a_certificate_without_its_key_stops_the_start(
    certificates: Path, database_url: str, files: dict[str, str], words: str
) -> None:
    chosen = {name: str(certificates / file) for name, file in files.items()}
    with (
        pytest.raises(AssertionError, match=words),
        serving(database_url, **chosen),
    ):
        pass
