"""An example under way: a process of its own, with the settings it reads."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2

from servers.processes import answers, stable_port, wait_until

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


class Example:
    """One example; ``settings``: environment variables."""

    def __init__(self, script, folder, settings):
        self.port, self.folder = stable_port(), folder
        own = {"PORT": str(self.port), "PYTHONUNBUFFERED": "1"}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, EXAMPLES / script], stdout=log, stderr=log, env=os.environ | own | settings
            )
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}")

    def end(self):
        self.client.close()
        self.process.kill()
        self.process.wait()

    def wait(self):
        wait_until(lambda: answers(self.port), self.process, self.folder)

    @property
    def log(self):
        return (self.folder / "log").read_text()
