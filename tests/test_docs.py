"""The documentation is true: its examples run, it names everything that the code has, and its links lead somewhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import generated
import reference_pages
import transcript
from guestpass.core.tokens.check import CHECKS
from guestpass.errors import ERRORS
from guestpass.server.operate.metrics import Collector
from guestpass.server.operate.settings import Settings
from guestpass.server.tally import Tally

ROOT = transcript.ROOT
DOCS = ROOT / "docs"
PYTHON_PAGES = (
    "quickstart.md", "python.md", "http.md", "security.md", "standard-clients.md", "verifier.md", "webhooks.md",
    "cookies-and-csrf.md", "audit.md",
)  # fmt: skip
GENERATED_ROUTES = reference_pages.MARK
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


# Examples


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A real server; gives the variables that a client reads."""
    terminals = transcript.Terminals(tmp_path_factory.mktemp("docs"))
    try:
        terminals.type("guestpass init")
        key = json.loads(terminals.type("guestpass keys create --name docs --signing --json"))
        terminals.leave_running("guestpass serve", "Guestpass listens on …\n…\n")
        url = f"http://127.0.0.1:{terminals.port}"
        yield {
            "GUESTPASS_SECRET_KEY": key["secret"],
            "GUESTPASS_KEY_ID": key["id"],
            "GUESTPASS_URL": url,
            "GUESTPASS_ISSUER": f"{url}/test",
        }
    finally:
        terminals.close()


def _python_blocks():
    for page in PYTHON_PAGES:
        for block in transcript.blocks_of((DOCS / page).read_text()):
            if block.language == "python":
                yield pytest.param(block.text, id=f"{page}:{block.line}")


@pytest.mark.parametrize("code", list(_python_blocks()))
def test_a_python_example_runs(code, service):
    ran = subprocess.run(
        [sys.executable, "-"], input=code, env={**os.environ, **service}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_every_command_of_the_quickstart_prints_what_it_shows(tmp_path):
    terminals = transcript.Terminals(tmp_path)
    try:
        assert terminals.replay(DOCS / "quickstart.md") >= 15
    finally:
        terminals.close()


@pytest.mark.parametrize("page", ["quickstart.md", "first-hour.md"])
def test_no_call_stands_outside_of_what_is_replayed(page):
    shown = [
        block.text for block in transcript.blocks_of((DOCS / page).read_text()) if block.language in {"sh", "bash"}
    ]
    assert not [text for text in shown if "curl " in text]


# Everything that is there has its place


def _headings(page):
    text = re.sub(r"^```.*?^```$", "", (DOCS / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    return _HEADING.findall(text)


@pytest.mark.parametrize("setting", Settings.__struct_fields__)
def test_a_setting_has_its_heading(setting):
    assert setting in _headings("configuration.md")


@pytest.mark.parametrize("code", list(ERRORS))
def test_an_error_code_has_its_heading(code):
    assert code in _headings("errors.md")


@pytest.fixture(scope="module")
def routes():
    return {(route["method"], route["path"]) for route in _described_routes()}


def _described_routes():
    description = json.loads(generated.openapi_json())
    for path, operations in description["paths"].items():
        for method in operations:
            yield {"method": method.upper(), "path": path}


def test_every_route_has_its_heading(routes):
    headings = _headings("http.md")
    assert [route for route in routes if " ".join(route) not in headings] == []


def test_every_command_and_option_is_shown():
    page = (DOCS / "cli.md").read_text()
    sections = dict(zip(_headings("cli.md"), re.split(r"^#{1,2} .*$", page, flags=re.MULTILINE)[1:], strict=True))
    words_of_all = list(reference_pages.commands(reference_pages.command_line))
    assert ("keys", "create") in words_of_all
    for words in words_of_all:
        section = sections[" ".join(("guestpass", *words))]
        command = reference_pages.command_line
        for word in words:
            command = command[word]
        names = [name for argument in command.assemble_argument_collection() for name in argument.names]
        assert [name for name in names if name.startswith("--") and name not in section] == [], words


def test_what_is_not_yet_there_is_not_there(routes):
    """Whoever adds a route takes its line out of the table."""
    table = (DOCS / "http.md").read_text().partition("### Not yet")[2].partition(GENERATED_ROUTES)[0]
    named = [
        path for row in table.splitlines() if row.startswith("|") for path in re.findall(r"`(?:POST )?(/[^`]+)`", row)
    ]
    absent = [
        path.removesuffix("/…") for path in named if path not in {"/v1/tokens/verify", "/{environment}/{project}/…"}
    ]
    assert absent
    assert [path for path in absent for _, known in routes if known == path or known.startswith(f"{path}/")] == []


def test_the_checks_stand_in_the_order_of_the_code():
    table = _rows(DOCS / "security.md", "| | check |")
    assert [row[1].strip("`") for row in table] == [check.name for check in CHECKS]
    for row in table:
        assert set(re.findall(r"[A-Z]{2,}_[A-Z_]+", row[3])) <= set(ERRORS)


def test_every_attack_has_its_row_and_its_codes():
    told = [
        (set(re.findall(r"`([^`]+)`", families)), set(codes.split(", ")))
        for _, families, codes in _rows(DOCS / "security.md", "| attack |")
    ]
    vectors = json.loads((ROOT / "spec/vectors/attacks.json").read_text())["vectors"]
    earned = {}
    for vector in vectors:
        earned.setdefault(vector["name"].partition(":")[0], set()).add(vector["code"])
    assert sorted(family for families, _ in told for family in families) == sorted(earned)
    for families, codes in told:
        assert codes == set().union(*(earned[family] for family in families)), families


def test_every_event_that_is_logged_is_in_the_table():
    sources = (path.read_text() for path in (ROOT / "src/guestpass/server").rglob("*.py"))
    logged = {event for text in sources for event in re.findall(r"\blog\.\w+\(\s*\"(\w+)\"", text)}
    assert {row[0].strip("`") for row in _rows(DOCS / "operating.md", "| event |")} == logged


def test_every_metric_is_in_the_table_with_its_labels():
    tally = Tally()
    tally.over_routes([("GET", "/healthz")])
    families = [family for family in Collector(tally).collect() if not family.name.startswith("process_")]
    told = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in _rows(DOCS / "operating.md", "| metric |")
    }
    ends = {"counter": "_total", "info": "_info"}
    assert {name: labels for name, labels in told.items() if not name.startswith("process_")} == {
        family.name + ends.get(family.type, ""): _labels_of(family) for family in families
    }


def _labels_of(family):
    return {name for sample in family.samples for name in sample.labels} - {"le"} or set(family._labelnames)


def _rows(page, head):
    """Return the cells of the table that begins with ``head``."""
    lines = page.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(head))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


# Links


def _pages():
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def _slug(heading):
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def _anchors(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {_slug(heading) for heading in _HEADING.findall(text)}


def _broken(page, target):
    path, _, anchor = target.partition("#")
    where = (page.parent / path).resolve() if path else page
    if not where.exists():
        return True
    return bool(anchor) and where.suffix == ".md" and anchor not in _anchors(where)


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)]
    assert [target for target in targets if _broken(page, target)] == []


def test_every_page_is_on_the_map():
    linked = {target.partition("#")[0] for target in _LINK.findall((DOCS / "index.md").read_text())}
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page.name not in {*linked, "index.md"}] == []


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_a_page_that_strangers_look_for_is_there(name):
    assert len(Path(ROOT / name).read_text()) > 500
