"""Installs the peers from PyPI, each into its own environment below `.cache/bench`; a second time finds them there."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.findings import Tell
from benchmarks.world import BASE_DIR, NotReady

FOLDER = BASE_DIR / ".cache" / "bench"
TOOLS_UV = BASE_DIR / ".cache" / "tools" / "bin" / "uv"


@dataclass(frozen=True)
class Package:
    """What is installed for a peer. `without` names packages that it asks for and that a relay of text does not touch."""

    folder: str
    requirements: tuple[str, ...]
    without: tuple[str, ...] = ()

    @property
    def environment(self) -> Path:
        return FOLDER / self.folder

    @property
    def stamp(self) -> Path:
        return self.environment / "installed"

    @property
    def wanted(self) -> str:
        return "\n".join(self.requirements)

    @property
    def is_installed(self) -> bool:
        return self.stamp.exists() and self.stamp.read_text() == self.wanted

    def program(self, name: str) -> str:
        return str(self.environment / "bin" / name)


OPEN_WEBUI = Package("open-webui", ("open-webui==0.12.4",), without=("torch",))
CHAINLIT = Package("chainlit", ("chainlit==2.12.0", "openai"))
LITELLM = Package("litellm", ("litellm[proxy]==1.106.2",))
DUCKDB = Package("duckdb", ("duckdb==2.0.0",))
PACKAGES = (OPEN_WEBUI, CHAINLIT, LITELLM, DUCKDB)


def install_all(*, tell: Tell) -> None:
    """Raises `NotReady` where an installation fails."""
    for package in PACKAGES:
        if not package.is_installed:
            tell(f"Installing {package.requirements[0]} (some minutes)")
            _install(package)
            package.stamp.write_text(package.wanted)


def _install(package: Package) -> None:
    shutil.rmtree(package.environment, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    overrides = FOLDER / f"{package.folder}-without.txt"
    overrides.write_text("".join(f"{name}; sys_platform == 'never'\n" for name in package.without))
    uv = str(TOOLS_UV) if TOOLS_UV.exists() else shutil.which("uv")
    if uv is None:
        raise NotReady("The peers are installed with uv, which is not here. `make bench` fetches it; or install it (pip install uv).")
    python = package.program("python")
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(package.environment)],
        [uv, "pip", "install", "--quiet", "--python", python, "--override", str(overrides), *package.requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotReady(f"{package.requirements[0]} could not be installed:\n{done.stderr[-2000:]}")
