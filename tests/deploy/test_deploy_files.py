"""The unit, the Dockerfile and the compose file: they name what is there, and grant no more than is needed.

No container engine runs here, so the image is not built; what it runs is what ``requirements`` and ``src`` hold.
"""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from guestpass.server.operate.settings import Settings
from servers.processes import stable_port
from torture.real_server import RealServer

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "guestpass.service"
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
EXPOSURE_MAX = 15  # tenths, of systemd's 0 (safe) to 10 (unsafe)
SHIPPED = "/opt/guestpass/bin/guestpass"

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_setting_that_is_named_is_one(path):
    named = set(re.findall(r"GUESTPASS_([A-Z_]+)", path.read_text()))
    settings = {name.upper() for name in Settings.__struct_fields__}
    assert {name.removesuffix("_FILE") for name in named} <= settings


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_the_page_on_deployment_names_the_file(path):
    assert str(path.relative_to(ROOT)) in (ROOT / "docs/deploy.md").read_text()


# systemd


@pytest.fixture
def unit(tmp_path):
    """The unit, with a program that is there."""
    path = tmp_path / "guestpass.service"
    text = UNIT.read_text()
    assert f"ExecStart={SHIPPED} serve" in text
    path.write_text(text.replace(SHIPPED, sys.executable))
    return path


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@systemd
def test_systemd_finds_nothing_to_say_against_the_unit(unit):
    said = analyze("verify", "--man=no", str(unit))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@systemd
def test_systemd_calls_the_unit_safe(unit):
    said = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(unit))
    assert said.returncode == 0, said.stdout


def test_the_workers_are_drained_by_the_server_alone():
    """systemd would signal each of them, too; and a second signal means: do not wait."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    assert parser["Service"]["KillMode"] == "mixed"
    assert int(parser["Service"]["TimeoutStopSec"]) > 11, "serve waits 10 s for requests under way"


_WITHOUT_NEW_CODE = """
import ctypes, os, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-c", "from guestpass.server.main import main; main()", *sys.argv[1:]])
"""


async def test_a_server_works_where_no_memory_becomes_code(tmp_path):
    """``MemoryDenyWriteExecute``, which a library that writes code at run time would not survive."""

    class Confined(RealServer):
        def _command(self):
            return [sys.executable, "-c", _WITHOUT_NEW_CODE]

    server = Confined.made(tmp_path, workers=2, settings={"GUESTPASS_INTERNAL_LISTEN": f"127.0.0.1:{stable_port()}"})
    try:
        await server.start()
        async with server.connection() as connection:
            assert (await connection.post("/v1/session-tokens", {"externalUserId": "ada"}))[0] == 201
    finally:
        server.end()


# The image


def dockerfile():
    """Return [(instruction, its words)], each on one line."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, rest in lines]


def test_every_file_that_is_copied_is_there_and_in_the_build_s_context():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source
        for name, rest in dockerfile()
        if name == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]
    assert {"src", "pyproject.toml"} <= set(copied)
    for source in copied:
        assert (ROOT / source).exists()
        assert source.split("/")[0] in allowed


def test_the_image_runs_as_nobody_special_checks_itself_and_fetches_nothing():
    instructions = dockerfile()
    last_stage = instructions[max(place for place, (name, _) in enumerate(instructions) if name == "FROM") :]
    names = [name for name, _ in last_stage]
    assert ("USER", "8787:8787") in last_stage
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "HEALTHCHECK" in names
    assert not [rest for name, rest in last_stage if name == "RUN" and re.search(r"pip|curl|wget|apt", rest)]
    assert not [rest for name, rest in instructions if name == "ADD"]
    for name, rest in instructions:
        if name == "FROM":
            assert re.fullmatch(r"[a-z]+:[0-9][\w.-]+( AS \w+)?", rest), "a base image has a version"
        if name == "RUN" and "install --" in rest and "--requirement" in rest:
            assert rest.count("--require-hashes") == rest.count("--requirement")


def test_the_locks_of_the_image_hold_all_that_the_package_needs():
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/image.txt").read_text(), re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text()
    needed = set(re.findall(r'"([a-z0-9-]+)>=', project.partition("[project.scripts]")[0].partition("[project]")[2]))
    assert needed
    assert needed <= locked
    assert "hatchling==" in (ROOT / "requirements/build.txt").read_text()


async def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not(tmp_path):
    rest = next(rest for name, rest in dockerfile() if name == "HEALTHCHECK")
    command = json.loads(rest.partition("CMD ")[2])
    assert command[0] == "python"
    server = RealServer.made(tmp_path)

    def check():
        environment = {"GUESTPASS_PORT": str(server.port)}
        return subprocess.run(
            [sys.executable, *command[1:]], env=environment, capture_output=True, check=False
        ).returncode

    assert check() != 0
    try:
        await server.start()
        assert check() == 0
    finally:
        server.end()


# compose


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_two_servers_share_a_store_and_a_master_key(compose):
    one, other = compose["services"]["guestpass-1"], compose["services"]["guestpass-2"]
    assert one == other
    assert one["environment"]["GUESTPASS_DATABASE_URL_FILE"] == "/run/secrets/database_url"
    assert set(one["secrets"]) == {"database_url", "master_key"}


def test_no_secret_stands_in_the_compose_file(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|SECRET|KEY", name) or value.startswith("/run/secrets/"), name
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())


def test_only_the_proxy_is_reached_from_outside(compose):
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["nginx"]
    assert compose["networks"]["behind"]["internal"] is True
    for name, service in compose["services"].items():
        networks = set(service["networks"])
        assert networks == ({"front", "behind"} if name == "nginx" else {"behind"})


def test_everything_that_is_named_in_the_compose_file_is_there(compose):
    services = compose["services"]
    upstream = (DEPLOY / "nginx/upstream.compose.conf").read_text()
    assert set(re.findall(r"server ([\w-]+):8787", upstream)) == {"guestpass-1", "guestpass-2"} <= set(services)
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./nginx/"):
                assert (DEPLOY / source).is_file()
    address = services["nginx"]["networks"]["behind"]["ipv4_address"]
    assert services["guestpass-1"]["environment"]["GUESTPASS_TRUSTED_PROXIES"] == address
