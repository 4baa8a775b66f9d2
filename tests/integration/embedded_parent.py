"""A process for the tests of orphans: it starts both servers, says which, and waits to be ended."""

import json
import os
import signal
import sys
import threading

from services.embedded.broker import EmbeddedBroker
from services.embedded.database import EmbeddedDatabase
from services.embedded.guardian import descendants
from services.embedded.processes import interrupt_on_terminate


def main(manner: str) -> None:
    """Start the servers in a thread that ends, and wait for whatever comes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    if manner == "unwinding":
        interrupt_on_terminate()
    database, broker = EmbeddedDatabase(), EmbeddedBroker()
    try:
        starter = threading.Thread(target=lambda: (database.start(), broker.start()))
        starter.start()
        starter.join()
        if manner == "paused":
            database.pause()
            broker.pause()
        said = {
            "pids": list(descendants(os.getpid())),
            "folders": [str(database.folder), str(broker.folder)],
        }
        print(json.dumps(said), flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        if manner != "paused":
            broker.stop()
            database.stop()


if __name__ == "__main__":
    main(sys.argv[1])
