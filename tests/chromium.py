"""Which browser the tests run in."""

import shutil

import pytest

# The first that is there. The headless shell is the same engine without windows, toolbars and profiles, which cost more than our pages do.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")


def executable() -> str:
    """Its path. Nothing is skipped where there is none: the test fails and says what to install."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.fail("The tests in a browser need Chromium. Install it: apt-get install chromium-headless-shell", pytrace=False)
