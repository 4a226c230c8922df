"""The site of the documents: every page is there, links lead within it, warnings are errors."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def site_pages():
    """The module docs/site_pages.py, which stands outside of the package."""
    where = ROOT / "docs" / "site_pages.py"
    spec = importlib.util.spec_from_file_location("site_pages", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(site_pages, tmp_path_factory):
    """A folder with mkdocs.yml and the pages where it looks for them."""
    where = tmp_path_factory.mktemp("site")
    shutil.copyfile(ROOT / "mkdocs.yml", where / "mkdocs.yml")
    site_pages.write_pages(where / "build" / "pages")
    return where


def navigation(part):
    """The files that a part of the navigation names, at any depth."""
    if isinstance(part, str):
        return [part]
    inner = part.values() if isinstance(part, dict) else part
    return [name for one in inner for name in navigation(one)]


def test_each_page_stands_in_the_navigation_once(site):
    config = yaml.safe_load((site / "mkdocs.yml").read_text())
    named = navigation(config["nav"])
    there = {path.name for path in (site / "build" / "pages").glob("*.md")}
    assert sorted(named) == sorted(there)


def test_links_and_pictures_lead_within_the_site(site):
    pages = site / "build" / "pages"
    for page in sorted(pages.glob("*.md")):
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for link in LINK.findall(text):
            outside = link.startswith(("http://", "https://"))
            assert outside or (pages / link).exists(), (
                f"{page.name} links to {link}"
            )


@pytest.mark.parametrize(
    ("text", "folder", "shown"),
    [
        ("[a](docs/audit.md#speed)", "", "[a](audit.md#speed)"),
        ("![a](docs/mini_sheet.png)", "", "![a](mini_sheet.png)"),
        ("[a](CONTRIBUTING.md)", "", "[a](contributing.md)"),
        ("[a](../examples/README.md)", "docs", "[a](examples.md)"),
        (
            "[code](../setup.py)",
            "docs",
            "code (`../setup.py` in the repository)",
        ),
        ("[setup.py](setup.py)", "", "setup.py"),
        ("[own](own_folder.py)", "examples", "[own](#own_folderpy)"),
        ("[a](https://x.org/docs/a.md)", "", "[a](https://x.org/docs/a.md)"),
        ("```\n[a](docs/a.md)\n```", "", "```\n[a](docs/a.md)\n```"),
    ],
)
def test_links_are_those_of_the_site(site_pages, text, folder, shown):
    assert site_pages.site_text(text, folder) == shown


def _build(site):
    call = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(call, cwd=site, capture_output=True, text=True)


@pytest.fixture(scope="module")
def built(site):
    """The site's folder."""
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("Zensical is absent: pip install 'imagenet-ao[docs]'")
    done = _build(site)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return site / "build" / "site"


def test_the_site_is_built_with_warnings_as_errors(site, built):
    assert (
        "Does a vision-language model compose"
        in (built / "index.html").read_text()
    )
    assert (built / "intervals.png").exists()
    # a page that names one that isn't there must end it
    page = site / "build" / "pages" / "paper.md"
    whole = page.read_text()
    page.write_text(whole + "\n[nowhere](no_such_page.md)\n")
    done = _build(site)
    page.write_text(whole)
    assert done.returncode != 0, "a link to nowhere passes"


def test_an_option_is_not_broken_at_its_hyphens_on_a_phone(built, page):
    page.open((built / "running.html").as_uri(), 390, 844, True)
    words = "Array.from(document.querySelectorAll('.whole-word'))"
    options = f"{words}.filter(w => w.textContent.startsWith('--'))"
    assert page.run(f"{options}.length") > 20
    assert (
        page.run(f"Math.max(...{words}.map(w => w.getClientRects().length))")
        == 1
    )
    assert page.run("document.documentElement.scrollWidth") <= 390
