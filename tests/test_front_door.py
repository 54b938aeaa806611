"""The front door: the very command of ``make lab``, in a copy of the checkout, and every link and picture through it.

The last tests need Debian's ``chromium`` (or ``CHROMIUM``, the path of another) and playwright, else they are skipped.
"""

import json
import os
import platform
import posixpath
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from quoted import NOTEBOOKS

ROOT = Path(__file__).parent.parent
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")
DOCUMENTS = ["README.md", "tests/README.md", "tests/of_tests/README.md"]
DOCUMENTS += [path.relative_to(ROOT).as_posix() for path in NOTEBOOKS]
LINK = re.compile(r"(!?)\[(?:!\[[^\]]*\]\([^)]*\)|[^\]]*)\]\(([^)\s]+)\)|(<img)[^>]*\bsrc=\"([^\"]+)\"")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="make and its command are for Linux and macOS")
needs_browser = pytest.mark.skipif(
    not CHROMIUM or find_spec("playwright") is None, reason="no browser: chromium or playwright is missing"
)


def command_of_make_lab():
    """The recipe's words, with this Python in place of the virtual environment's ``jupyter``."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^lab:.*\n\t\$\(BIN\)/jupyter (.*)$", makefile, re.M)[1]
    return [sys.executable, "-m", "jupyter", *shlex.split(recipe)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("door") / "checkout", ignore=NOT_COPIED))


@pytest.fixture(scope="module")
def lab(checkout):
    """The address of the server that the command starts, and the page that it would open in a browser."""
    folder = checkout.parent
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "spaces")}
    own |= {"PYTHONPATH": str(checkout), "BROWSER": "echo opened %s"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--allow-root", "--IdentityProvider.token=", "--expose-app-in-browser"]
    log = folder / "server.log"
    with open(log, "w") as file:
        server = subprocess.Popen(
            [*command_of_make_lab(), *options], cwd=checkout, env=os.environ | own, stdout=file, stderr=file
        )
    try:
        yield f"http://127.0.0.1:{port}", opened_page(server, log)
    finally:
        server.terminate()
        server.wait(20)


def opened_page(server, log, patience=90):
    """The path of the page that the server sends the browser to; it goes there by way of a file of its own."""
    end = time.monotonic() + patience
    while not (opened := re.search(r"opened file://(\S+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    page = Path(urllib.request.url2pathname(opened[1])).read_text()
    return urllib.parse.urlsplit(re.search(r'url=([^"]+)"', page)[1]).path


def read(document):
    """The prose of a notebook, or a whole text."""
    if not document.endswith(".ipynb"):
        return (ROOT / document).read_text(encoding="utf-8")
    cells = nbformat.read(ROOT / document, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def targets(document, text):
    """(is it a picture, its path from the root) of each link and picture of the document that stays in the house."""
    for mark, link, image, source in LINK.findall(text):
        target = urllib.parse.urlsplit(link or source)
        if not target.scheme and target.path:
            folder = posixpath.dirname(document)
            yield bool(mark or image), posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(target.path)))


def get(address, path):
    """Status and kind of what the server gives for a path, asked by a page of its own."""
    request = urllib.request.Request(f"{address}/{urllib.parse.quote(path)}", headers={"Referer": f"{address}/lab"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        return error.code, None


def test_the_command_opens_the_first_notebook_below_the_repository(lab):
    _, page = lab
    assert page == "/lab/tree/notebooks/00_start_here.ipynb"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_and_picture_opens(lab, document):
    address, _ = lab
    assert get(address, f"api/contents/{document}")[0] == 200
    for is_picture, path in set(targets(document, read(document))):
        if is_picture:
            status, kind = get(address, f"files/{path}")
            assert (status, kind and kind.split("/")[0]) == (200, "image"), f"{document} shows {path}"
        else:
            assert get(address, f"api/contents/{path}")[0] == 200, f"{document} points at {path}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_within_a_document_leads_to_a_heading(document):
    text = read(document)
    headings = {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.M)}
    places = {urllib.parse.unquote(link[1:]) for _, link, _, _ in LINK.findall(text) if link.startswith("#")}
    assert places <= headings


def test_a_link_out_of_the_house_is_found(lab):
    address, _ = lab
    for path in ("notebooks/nothing.ipynb", "../server.log"):
        assert get(address, f"api/contents/{path}")[0] == 404
        assert get(address, f"files/{path}")[0] in (403, 404)


def test_links_and_pictures_are_recognised():
    text = '[a](b.md#c) ![d](../e.png) [![f](g.svg)](h%20i.md) <img width="3" src="j.gif" alt=""> [k](http://l) [m](#n)'
    assert list(targets("docs/one.md", text)) == [
        (False, "docs/b.md"),
        (True, "e.png"),
        (False, "docs/h i.md"),
        (True, "docs/j.gif"),
    ]


@pytest.fixture(scope="module")
def open_in_lab(lab):
    """Opens a document in a real browser, its kernel ready, with the page's size of half a laptop's screen."""
    from playwright.sync_api import sync_playwright

    address, _ = lab
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def open_in_lab(document):
            opened = browser.new_page(viewport={"width": 1000, "height": 800})
            opened.goto(f"{address}/lab/tree/{document}?reset", wait_until="commit", timeout=120_000)
            session = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session"
            opened.wait_for_function(f"{session}?.kernel?.status == 'idle'", timeout=90_000)
            return opened

        yield open_in_lab
        browser.close()


@needs_browser
def test_an_opened_notebook_shows_its_pictures_follows_its_links_and_stays_as_it_was(open_in_lab, checkout):
    document = checkout / "notebooks" / "06_draw_a_digit.ipynb"
    stored = document.read_bytes()
    page = open_in_lab("notebooks/06_draw_a_digit.ipynb")
    page.wait_for_timeout(1000)
    written_by = json.loads(stored)["metadata"]["language_info"]["version"]
    if written_by == platform.python_version():  # else JupyterLab notes the kernel's
        assert page.evaluate("jupyterapp.shell.currentWidget.context.model.dirty") is False
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
    assert document.read_bytes() == stored.replace(written_by.encode(), platform.python_version().encode())
    picture = page.locator(".jp-RenderedMarkdown img[src*='files/figures/']").first
    picture.scroll_into_view_if_needed(timeout=30_000)
    page.wait_for_function("i => i.complete && i.naturalWidth > 100", arg=picture.element_handle(), timeout=30_000)
    link = page.locator(".jp-RenderedMarkdown a[href*='.ipynb']").first
    target = link.get_attribute("href")
    link.click()
    page.wait_for_function(
        "name => jupyterapp.shell.currentWidget.context.path == `notebooks/${name}`",
        arg=Path(urllib.parse.urlsplit(target).path).name,
        timeout=30_000,
    )
