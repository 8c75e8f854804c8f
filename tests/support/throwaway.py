"""Certificates that are made for one test and thrown away."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate(directory: Path, names: str) -> Path:
    """A certificate for some names, as openssl writes them, with its key, in one file.

    `cert.pem` next to it is for clients that are to trust it.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there to make a certificate with")
    both = directory / "both.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
            "-addext",
            f"subjectAltName={names}",
            "-keyout",
            str(directory / "key.pem"),
            "-out",
            str(directory / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes((directory / "key.pem").read_bytes() + (directory / "cert.pem").read_bytes())
    return both
