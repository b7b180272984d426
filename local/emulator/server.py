"""The emulator's process: `python -m local.emulator.server`. MiniStack, with what it lacks for this project added.

Started by `lifecycle.start` with a clean environment; not for running by hand. Its log goes to standard output.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from local.emulator import contract
from local.emulator.process import MARKER_VARIABLE

# The interpreter Lambda workers run in (see runtime.py).
INTERPRETER_VARIABLE = "ETL_LAMBDA_INTERPRETER"

# Answers with the process's marker: a starter that sees its own knows it talks to the server it started.
IDENTITY_PATH = "/_etl/identity"

_log = logging.getLogger("local.emulator")
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def main() -> int:
    """Patch MiniStack and serve until SIGTERM. Exit code 2 if this MiniStack is not the one the patches know."""
    moved = contract.broken()
    if moved:
        print(
            f"ERROR: MiniStack {contract.installed_version()} is not the pinned {contract.PINNED}, or was changed: "
            + "; ".join(moved),
            flush=True,
        )
        return 2
    interpreter = os.environ.get(INTERPRETER_VARIABLE)
    if not interpreter:
        print(f"ERROR: {INTERPRETER_VARIABLE} is not set; start the emulator with `etl up`", flush=True)
        return 2

    app: Any = importlib.import_module("ministack.app")
    # With TLS on, MiniStack would also listen on port 443 where it may.
    app._port_is_bindable = lambda _host, _port: False
    app.app = _with_identity(app.app, os.environ.get(MARKER_VARIABLE, ""))
    from local.emulator import athena, batches, functions, templates

    functions.install(Path(interpreter))
    athena.install()
    batches.install()
    for line in templates.install():
        _log.warning("%s", line)
    sys.argv = sys.argv[:1]
    app.main()
    return 0


def _with_identity(
    application: Callable[[Message, Receive, Send], Awaitable[None]], marker: str
) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == IDENTITY_PATH:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": marker.encode()})
            return
        await application(scope, receive, send)

    return answer


if __name__ == "__main__":
    raise SystemExit(main())
