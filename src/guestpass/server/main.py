"""The ``guestpass`` command."""

from __future__ import annotations

import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError

from guestpass.server import credentials
from guestpass.server.api_keys import commands as api_keys
from guestpass.server.audit import commands as audit
from guestpass.server.command_line import EXPECTED_ERRORS, OK, USAGE, exit_code_of
from guestpass.server.operate import commands as operate
from guestpass.server.operate import logs, store_commands
from guestpass.server.projects import commands as projects
from guestpass.server.sessions import commands as sessions
from guestpass.server.signing_keys import commands as signing_keys
from guestpass.server.webhooks import commands as webhooks

app = App(
    name="guestpass",
    help="Session tokens for embedded products. Works on the store: run it on a server.",
    version=lambda: version("guestpass"),
)
for command in (operate.serve, operate.init, operate.demo, operate.doctor, operate.backup, operate.restore):
    app.command(command)
for group in (
    projects.app,
    api_keys.app,
    signing_keys.app,
    sessions.tokens_app,
    sessions.sessions_app,
    webhooks.app,
    audit.app,
    operate.config_app,
    store_commands.master_key_app,
    store_commands.db_app,
):
    app.command(group)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process: 0 ok, 1 failed, 2 usage, 3 refused, 4 not found, 5 unreachable."""
    logs.configure("warning")
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: list[str]) -> int:
    """Run one command; return its exit code, its own where it has one. Errors are one sentence on standard error."""
    try:
        return app(arguments, exit_on_error=False, print_error=True, result_action="return_value") or OK
    except CycloptsError:
        return USAGE
    except EXPECTED_ERRORS as error:
        sys.stdout.flush()  # what was shown stands before the error, also where both go into one file
        sys.stderr.write(f"{credentials.without_any_secret(str(error))}\n")  # of a service, it goes to a journal
        return exit_code_of(error)
    except KeyboardInterrupt:
        return OK
