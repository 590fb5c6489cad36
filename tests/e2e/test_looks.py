"""What `looks_right` relies on, which looks at a page in both schemes, and for all that is not a colour in one."""

from django.conf import settings

KINDS = {".css", ".js", ".html", ".svg"}


def test_nothing_but_colours_follows_the_scheme():
    """Stylesheets say colours with light-dark(), which takes nothing else. Charts are painted anew, and axe does not see into a canvas."""
    folders = [settings.BASE_DIR / "templates", *settings.BASE_DIR.glob("*/static"), *settings.BASE_DIR.glob("*/templates")]
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in KINDS]
    asking = [file.name for file in files if "prefers-color-scheme" in file.read_text()]
    assert asking == ["charts.js"]
