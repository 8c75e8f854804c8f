"""Processes that end in every way there is, logging to the last: what was acknowledged is there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from tests.support.agent import run_agent
from tests.support.log import Log
from tests.support.oracle import assert_kept
from tests.support.process import environment, start

if os.name != "posix":
    pytest.skip("is about the ways a POSIX process ends", allow_module_level=True)


def words(log):
    """What was logged, in the order of the ids."""
    return [e.data["event_type"] for e in sorted(log.events(), key=lambda event: event.id)]


def test_children_that_end_by_os_exit_lose_nothing_they_were_told(base):
    """`os._exit` right after `log_event` returned: no flush, no atexit, and yet it is there."""
    ids = run_agent(
        base,
        """
        read, write = os.pipe()
        ids = [client.log_event("run", "parent")]
        for n in range(20):
            if os.fork() == 0:
                os.write(write, client.log_event("run", "child", n).encode() + b"\\n")
                client.log_event("run", "child's last", n)
                os._exit(0)
        for n in range(20):
            os.wait()
        print(*ids, os.read(read, 65536).decode())
        """,
    )
    assert len(ids) == 21
    log = assert_kept(base, ids)
    assert words(log).count("child's last") == 20


def test_everything_that_python_runs_at_its_end_may_log(base):
    """atexit, finalizers, __del__ of globals and of cycles, a generator's `with`."""
    run_agent(
        base,
        """
        import atexit, weakref
        class Last:
            def __init__(self, word):
                self.word, self.client = word, client
            def __del__(self):
                self.client.log_event("run", self.word)
        class Plain:
            pass
        plain = Plain()
        weakref.finalize(plain, client.log_event, "run", "finalizer")
        atexit.register(client.log_event, "run", "atexit")
        in_a_global = Last("global")
        cycle = Last("cycle")
        cycle.itself = cycle
        def generator():
            with client.track_run("agent", "job", run_id="generator"):
                yield
        running = generator()
        next(running)
        """,
    )
    log = assert_kept(base, [])
    found = [event.data.get("event_type") or event.type for event in log.events()]
    assert sorted(found) == sorted(
        ["run.started", "run.ended", "finalizer", "atexit", "global", "cycle"]
    )
    assert log.run("generator")["status"] == "cancelled"


def test_after_the_modules_are_emptied_nothing_is_recorded_and_nothing_raised(base):
    """What outlives even them, in `builtins` or `sys`, gets None: not an exception, not a word."""
    ids = run_agent(
        base,
        """
        import builtins
        class Last:
            def __init__(self):
                self.client, self.write = client, os.write
            def __del__(self):
                self.client.log_events("run", [("e", 1)])
                self.write(1, repr(self.client.log_event("run", "last")).encode())
        import orjson, telemetry_core.clock
        print(client.log_event("run", "e"), flush=True)
        for module in (builtins, sys, logging, orjson, telemetry_core.clock):
            module.kept = Last()
        """,
    )
    assert_kept(base, ids[:1])


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("sys.exit(3)", 3),
        ("raise RuntimeError('end')", 1),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGINT)", None),
        ("os.execv('/bin/true', ['true'])", 0),
        ("ctypes.string_at(0)", -signal.SIGSEGV),
        ("ctypes.CDLL(None)._exit(4)", 4),
    ],
)
def test_however_a_process_ends_what_it_was_told_is_there(base, ending, code):
    """In the middle of it, with another thread that logs."""
    process = start(
        f"""
        import ctypes, logging, os, resource, signal, sys, threading
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
        enough = threading.Event()
        def work():
            for n in range(1_000_000):
                os.write(1, client.log_event("run", "thread", n).encode() + b"\\n")
                if n == 20:
                    enough.set()
        threading.Thread(target=work, daemon=True).start()
        enough.wait()
        os.write(1, client.log_event("run", "main").encode() + b"\\n")
        {ending}
        """,
        str(base),
    )
    out, _ = process.communicate(timeout=60)
    if code is not None:
        assert process.returncode == code
    reported = [line for line in out.splitlines() if len(line) == 36]
    assert len(reported) > 20
    log = assert_kept(base, reported)
    assert log.torn() == []


def log_in_a_child(client, pipe):
    pipe.send([client.log_event("run", "child", n) for n in range(20)])
    client.log_event("run", "last")


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_children_of_multiprocessing_share_the_log(base, method):
    """Two at a time, however they are started: a client that is sent there starts afresh."""
    ids = run_agent(
        base,
        """
        import multiprocessing
        from tests.acceptance.test_process_endings import log_in_a_child
        context = multiprocessing.get_context(sys.argv[2])
        children = []
        for _ in range(2):
            ours, theirs = context.Pipe(duplex=False)
            child = context.Process(target=log_in_a_child, args=(client, theirs))
            child.start()
            theirs.close()
            children.append((child, ours))
            print(client.log_event("run", "parent"))
        for child, ours in children:
            assert ours.poll(30)
            print(*ours.recv())
            child.join(60)
            assert child.exitcode == 0
        """,
        method,
    )
    log = assert_kept(base, ids)
    assert words(log).count("last") == 2
    assert len({event.source for event in log.events()}) == 3


def test_what_waits_at_a_fork_is_the_parents_to_write(base):
    """A child that had a copy would write every waiting event again."""
    ids = run_agent(
        base,
        """
        real, os.open = os.open, None
        assert client.log_event("run", "e", "waits") is None
        os.open = real
        if os.fork() == 0:
            sys.exit(0 if client.log_event("run", "e", "child") else 1)
        assert os.wait()[1] == 0
        print(client.log_event("run", "e", "parent"))
        """,
    )
    assert assert_kept(base, ids).payloads() == ["child", "waits", "parent"]


def test_forks_in_a_storm_of_threads_lose_and_double_nothing(base):
    """Four threads log without pause while two fork children that log and end by `os._exit`."""
    ids = run_agent(
        base,
        """
        import threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        reported = os.open(base.parent / "reported", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        def tell(*ids):
            os.write(reported, "".join(f"{i}\\n" for i in ids if i).encode())
        over = threading.Event()
        def log():
            while not over.is_set():
                tell(client.log_event("run", "thread"))
                time.sleep(0.0005)
        def fork():
            for n in range(25):
                pid = os.fork()
                if pid == 0:
                    one = client.log_event("run", "child")
                    tell(one, *client.log_events("run", [("child", 1), ("child", 2)]))
                    os._exit(0 if one else 1)
                assert os.waitpid(pid, 0)[1] == 0
                tell(client.log_event("run", "forker"))
        loggers = [threading.Thread(target=log) for _ in range(4)]
        forkers = [threading.Thread(target=fork) for _ in range(2)]
        for thread in loggers + forkers:
            thread.start()
        for thread in forkers:
            thread.join()
        over.set()
        for thread in loggers:
            thread.join()
        print((base.parent / "reported").read_text())
        """,
    )
    log = assert_kept(base, ids)
    found = words(log)
    assert (found.count("child"), found.count("forker")) == (150, 50)
    assert sorted(log.ids()) == sorted(ids)
    assert log.torn() == []


def test_a_cancelled_task_keeps_what_it_was_told(base):
    """Tasks that are cancelled wherever they await: each run ended, each event there."""
    ids = run_agent(
        base,
        """
        import asyncio, random
        chance, ids = random.Random(1), []
        async def work(n):
            async with client.track_run("agent", "job", run_id=f"run-{n}") as run:
                while True:
                    ids.append(run.log_event("e"))
                    await asyncio.sleep(chance.random() / 500)
        async def main():
            tasks = [asyncio.ensure_future(work(n)) for n in range(30)]
            await asyncio.sleep(0.02)
            for task in tasks:
                await asyncio.sleep(0.001)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.run(main())
        print(*ids)
        """,
    )
    log = assert_kept(base, ids)
    assert [log.run(f"run-{n}")["status"] for n in range(30)] == ["cancelled"] * 30


@pytest.mark.parametrize("closed", [(0,), (1,), (1, 2), (0, 1, 2)], ids=str)
def test_a_host_that_closed_its_standard_descriptors_never_prints_into_the_log(base, closed):
    """Its print, its children's, and C's: our files are never 0, 1 or 2, so none can get there."""
    done = subprocess.run(
        [
            sys.executable,
            "-u",  # what a closed descriptor refused is not tried again at exit
            "-c",
            f"""
import os, subprocess, sys
from pathlib import Path
from telemetry_core import TelemetryClient, TelemetryConfig
base = Path(sys.argv[1])
client = TelemetryClient(TelemetryConfig.for_base(base))
for fd in {closed}:
    os.close(fd)
def say():
    for fd in (0, 1, 2):
        try:
            os.write(fd, b"HOST")
        except OSError:
            pass
    try:
        print("HOST", flush=True)
    except OSError:
        pass
    subprocess.call(["sh", "-c", "echo HOST; echo HOST >&2"])
client.log_event("run", "e", 0)
say()
client.log_event("run", "e", 1)
(base / "raw" / ".events.lock").unlink()
client.log_event("run", "e", 2)
say()
""",
            str(base),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    log = assert_kept(base, Log(base / "raw").ids())
    assert log.payloads() == [0, 1, 2]
    assert all(b"HOST" not in path.read_bytes() for path in (base / "raw").iterdir())
