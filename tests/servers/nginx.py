"""Debian's nginx for tests, under a configuration that a test gives; it needs no root, and reads nothing of /etc."""

from __future__ import annotations

import os
import shutil
import signal

from .processes import Home, answers, stable_port, wait_until

_AROUND = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr info;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{http}
}}
"""


class Nginx:
    """One nginx; its port is known before it is started, so that the configuration can name it."""

    def __init__(self, home: Home):
        self._home = home
        self._process = None
        self.port = stable_port()
        self.folder = home.new_folder("nginx")

    def start(self, http):
        """Start it, and return when it listens.

        Args:
            http: What stands within ``http { }``; one of its servers says ``listen 127.0.0.1:{port}``.
        """
        configuration = self.folder / "nginx.conf"
        configuration.write_text(_AROUND.format(folder=self.folder, http=http))
        configuration.chmod(0o644)
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "nginx is not installed; ./dev test does it"
        command = [program, "-e", "stderr", "-p", self.folder, "-c", configuration]
        self._process = self._home.start(command, folder=self.folder)
        wait_until(lambda: answers(self.port), self._process, self.folder)

    @property
    def log(self):
        """What it logged of requests and of faults."""
        return (self.folder / "access.log").read_text() + (self.folder / "log").read_text()

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
