"""Node-RED flows as its users write them: mqtt in (parsed JSON), join to batches, a function node with a pg pool.

No PostgreSQL node of its catalogue runs on a current Node.js against a current server from the registry alone, so the
flow uses the `pg` driver from a function node, which those nodes wrap. Makes its folder and becomes the Node-RED.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from benchmarks.payloads import TOPICS

_BATCH, _BATCH_WAIT_S = 500, 1
_START: Final = """
const pg = global.get('pg');
context.set('pool', new pg.Pool({connectionString: env.get('DATABASE_URL'), max: 10}));
"""
_ONE: Final = """
const reading = msg.payload;
context.get('pool').query({
    name: 'one',
    text: 'INSERT INTO reading (time, sensor, value) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
    values: [reading.time, reading.sensor, reading.value],
}).then(() => node.done(), error => node.error(error, msg));
"""
_MANY: Final = """
const rows = msg.payload;
const marks = rows.map((row, i) => `($${3 * i + 1}, $${3 * i + 2}, $${3 * i + 3})`).join(', ');
context.get('pool').query(
    'INSERT INTO reading (time, sensor, value) VALUES ' + marks + ' ON CONFLICT DO NOTHING',
    rows.flatMap(row => [row.time, row.sensor, row.value]),
).then(() => node.done(), error => node.error(error, msg));
"""
_WRITING: Final[Mapping[str, str]] = {"each": _ONE, "batch": _MANY}
_SETTINGS: Final = """module.exports = {{
    flowFile: 'flows.json', credentialSecret: false, httpAdminRoot: false, httpNodeRoot: false, uiPort: {port},
    uiHost: '127.0.0.1', telemetry: {{enabled: false, updateNotification: false}},
    functionGlobalContext: {{pg: require({pg})}}, logging: {{console: {{level: 'info'}}}},
}};
"""


def flows(writing: str, mqtt_url: str) -> list[dict[str, Any]]:
    """The nodes of the flow, in the form of its flow file."""
    parts = urlsplit(mqtt_url)
    broker = {
        "id": "n-broker",
        "type": "mqtt-broker",
        "name": "",
        "broker": parts.hostname,
        "port": str(parts.port),
        "clientid": "node-red",
        "autoConnect": True,
        "usetls": False,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": False,
    }
    first = "n-write" if writing == "each" else "n-join"
    source = {
        "id": "n-in",
        "x": 100,
        "y": 100,
        "type": "mqtt in",
        "z": "n-flow",
        "topic": TOPICS,
        "qos": "1",
        "datatype": "json",
        "broker": "n-broker",
        "nl": False,
        "rap": True,
        "rh": 0,
        "inputs": 0,
        "wires": [[first]],
    }
    join = {
        "id": "n-join",
        "x": 100,
        "y": 100,
        "type": "join",
        "z": "n-flow",
        "mode": "custom",
        "build": "array",
        "property": "payload",
        "propertyType": "msg",
        "key": "topic",
        "joiner": "\\n",
        "joinerType": "str",
        "accumulate": False,
        "timeout": str(_BATCH_WAIT_S),
        "count": str(_BATCH),
        "reduceRight": False,
        "wires": [["n-write"]],
    }
    write = {
        "id": "n-write",
        "x": 100,
        "y": 100,
        "type": "function",
        "z": "n-flow",
        "func": _WRITING[writing],
        "initialize": _START,
        "finalize": "",
        "outputs": 1,
        "noerr": 0,
        "libs": [],
        "wires": [[]],
    }
    tab = {"id": "n-flow", "type": "tab", "label": "readings"}
    return [tab, broker, source, write, *([join] if writing == "batch" else [])]


def credentials(mqtt_url: str) -> dict[str, Any]:
    """The file beside the flow file with what is secret in it."""
    parts = urlsplit(mqtt_url)
    words = {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    return {"n-broker": words}


def main(writing: str, packages: Path, port: int) -> None:
    """Become Node-RED, in a temporary folder that the caller's temporary folder holds."""
    folder = Path(tempfile.mkdtemp(prefix="node-red-"))
    modules = packages / "node_modules"
    settings = folder / "settings.js"
    settings.write_text(_SETTINGS.format(port=port, pg=json.dumps(str(modules / "pg"))))
    url = os.environ["MQTT_URL"]
    (folder / "flows.json").write_text(json.dumps(flows(writing, url)))
    (folder / "flows_cred.json").write_text(json.dumps(credentials(url)))
    command = ["node", str(modules / "node-red/red.js"), "-u", str(folder), "-s", str(settings)]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
