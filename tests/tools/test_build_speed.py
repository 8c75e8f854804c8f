"""The optional extension: built where it can be, left out in silence where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.process import ROOT

_NAME = "telemetry_core/_speed.abi3.so"
_IS_FOR_US = (
    sys.platform == "linux"
    and sys.implementation.name == "cpython"
    and sys.version_info >= (3, 10)
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)
needs_compiler = pytest.mark.skipif(
    not (_IS_FOR_US and shutil.which("cc")), reason="needs a C compiler, and CPython 3.10 on Linux"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What git would clone, with an extension of an earlier build left in it."""
    source = tmp_path_factory.mktemp("checkout")
    for name in ("telemetry_core", "indexer", "docs", "tools"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, source / name)
    (source / _NAME).write_bytes(b"left over")
    return source


def built(source, target, directory, **environ):
    """Build `target` and return the file; nothing may be said of the extension."""
    variables = {k: v for k, v in os.environ.items() if k not in {"CC", "CFLAGS", "TELEMETRY_PURE"}}
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)],
        cwd=source,
        env={**variables, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "_speed" not in done.stdout + done.stderr
    (file,) = directory.iterdir()
    return file


def install_in_place(source, **environ):
    """Do what an editable install has the hook do."""
    code = """
from build_speed import SpeedHook
hook = SpeedHook(ROOT, {}, None, None, ROOT, "wheel")
hook.initialize("editable", {})
hook.finalize("editable", {}, "")
""".replace("ROOT", repr(str(source)))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(source / "tools"), **environ}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)


@needs_compiler
def test_a_wheel_has_the_extension_for_every_python_from_3_10_on(checkout, tmp_path):
    """One file in the stable ABI, compiled for this wheel, and the source stays behind."""
    wheel = built(checkout, "wheel", tmp_path)
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert wheel.name.endswith(f"-cp310-abi3-{platform}.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert opened.read(_NAME).startswith(b"\x7fELF")
        assert "telemetry_core/_speed.c" not in opened.namelist()


@pytest.mark.parametrize("environ", [{"CC": "no-such-compiler"}, {"CC": "false"}])
def test_without_a_compiler_that_works_the_wheel_is_pure(checkout, tmp_path, environ):
    """Whether there is none or it fails: nothing is said, and nothing left over is taken along."""
    wheel = built(checkout, "wheel", tmp_path, **environ)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".so", ".c"))]


def test_a_pure_wheel_can_be_asked_for(checkout, tmp_path):
    """Where there is a compiler too."""
    wheel = built(checkout, "wheel", tmp_path, TELEMETRY_PURE="1")
    assert wheel.name.endswith("-py3-none-any.whl")


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of files differ")
def test_the_source_distribution_has_all_that_a_wheel_is_built_of(checkout, tmp_path):
    """The source and the hook, no binary; a wheel is built from it."""
    archive = built(checkout, "sdist", tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
        assert {"telemetry_core/_speed.c", "tools/build_speed.py"} <= names
        assert not [name for name in names if name.endswith(".so")]
        opened.extractall(
            tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        )
    wheel = built(tmp_path / archive.name[: -len(".tar.gz")], "wheel", tmp_path / "wheel")
    assert ("abi3" in wheel.name) == bool(_IS_FOR_US and shutil.which("cc"))


@needs_compiler
def test_an_editable_install_has_the_extension_next_to_its_source(checkout):
    """It replaces what was left over, and without a compiler what is left over goes."""
    install_in_place(checkout)
    assert (checkout / _NAME).read_bytes().startswith(b"\x7fELF")
    install_in_place(checkout, CC="no-such-compiler")
    assert not (checkout / _NAME).exists()


@needs_compiler
@pytest.mark.parametrize(
    ("prelude", "says"),
    [
        ("", ""),
        ("os.environ['TELEMETRY_PURE'] = '1'", "TELEMETRY_PURE is set"),
        ("os.environ['TELEMETRY_PURE'] = '0'", ""),
        ("sys.version_info = (3, 9, 0)", "it needs CPython 3.10 or newer"),
        ("sys.abiflags = 't'", "it is not for free-threaded builds of Python"),
        ("sys.modules['telemetry_core._speed'] = None", "not in this installation"),
        ("sys.modules['telemetry_core._speed'] = os", "it could not be loaded: "),
        (
            "sys.modules['telemetry_core._speed'] = types.SimpleNamespace(INTERFACE=0)",
            "it was built of other sources",
        ),
    ],
)
def test_where_it_may_not_be_used_python_does_it_all(checkout, prelude, says):
    """By wish, by version, by build, or because the file is broken or another's; it says why."""
    install_in_place(checkout)
    code = f"import os, sys, types\n{prelude}\nfrom telemetry_core import clock, speed\n"
    code += "print(repr(speed.WHY_PURE), clock.CLOCK.ticker is None, len(clock.CLOCK.next()[0]))"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(checkout)}
    out = subprocess.check_output([sys.executable, "-c", code], env=environ, text=True)
    reason, is_pure, length = out.rsplit(maxsplit=2)
    assert (says in reason) == bool(says) or reason == "''"
    assert (reason == "''", is_pure, length) == (not says, str(bool(says)), "36")


@needs_compiler
def test_a_subinterpreter_is_refused(checkout):
    """It gets an ImportError, and so the code in Python; nothing of it reaches the main one."""
    install_in_place(checkout)
    code = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inside = '''
from telemetry_core import clock, speed
why = speed.WHY_PURE
assert "main interpreter only" in why or "does not support" in why, why
assert clock.CLOCK.ticker is None and clock.CLOCK.next()
'''
from telemetry_core import speed
assert not speed.WHY_PURE
one = interpreters.create()
failed = interpreters.run_string(one, inside)
assert not failed, failed
interpreters.destroy(one)
print("ok")
"""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(checkout)}
    out = subprocess.check_output([sys.executable, "-c", code], env=environ, text=True)
    assert out == "ok\n"


@pytest.mark.skipif(sys.platform != "linux", reason="a compiler as Linux has it")
@pytest.mark.needs("shell")
def test_the_source_compiles_without_a_warning():
    """With all that a compiler warns of, and of conversions too."""
    if not shutil.which("cc") or not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("needs a C compiler and Python's headers")
    if sys.version_info < (3, 10):
        pytest.skip("the stable ABI of 3.10")
    warnings = ["-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"]
    for source in sorted(ROOT.glob("*/_*.c")):
        command = ["cc", "-std=c11", "-O2", "-fsyntax-only", *warnings]
        subprocess.run([*command, f"-I{sysconfig.get_path('include')}", str(source)], check=True)
