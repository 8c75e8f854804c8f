"""The container files agree with the code, as far as that can be checked without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml

from telemetry_core.settings import SETTINGS
from tests.support.process import ROOT

_DOCKER = ROOT / "tools" / "docker"


def test_the_compose_file_names_what_is_there():
    """Its build leads to the Dockerfile, one user runs all, and its variables are settings."""
    compose = yaml.safe_load((_DOCKER / "compose.yaml").read_text())
    indexer, agent = compose["services"]["indexer"], compose["services"]["agent"]
    context = (_DOCKER / indexer["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / indexer["build"]["dockerfile"]).is_file()
    assert indexer["user"] == agent["user"]
    assert indexer["volumes"] == agent["volumes"]
    assert set(compose["volumes"]) == {volume.split(":")[0] for volume in indexer["volumes"]}
    known = {setting.variable for setting in SETTINGS}
    assert set(indexer["environment"]) | set(agent["environment"]) <= known
    compile(agent["command"][0], "agent", "exec")


def test_the_image_runs_the_daemon_and_asks_the_status():
    """Each instruction is one that Docker knows; what they call are our commands."""
    text = re.sub(r"\\\n", " ", (_DOCKER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    instructions = [line.split()[0] for line in lines]
    assert set(instructions) <= {
        "FROM",
        "COPY",
        "RUN",
        "ARG",
        "USER",
        "ENV",
        "VOLUME",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert instructions[0] == "FROM"
    assert 'ENTRYPOINT ["telemetry"]' in lines
    assert 'CMD ["index", "--watch"]' in lines
    # A user other than root comes after `USER`.
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")


@pytest.mark.needs("shell")
def test_what_the_image_is_built_from_is_enough(tmp_path):
    """The files that the ignore file lets through make the package."""
    allowed = [
        line[1:]
        for line in (_DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    source = tmp_path / "source"
    source.mkdir()
    for name in allowed:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.whl"))
