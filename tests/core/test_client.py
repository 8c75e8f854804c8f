from __future__ import annotations

import asyncio
import os
import pickle
import re
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from telemetry_core import TelemetryClient, TelemetryConfig
from telemetry_core.lineage import PARENT_VARIABLE, TRACE_VARIABLE
from tests.support.log import Log
from tests.support.process import environment, run

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


def kinds(log):
    return [event.type for event in log.events()]


def test_a_run_from_start_to_end_is_in_the_log(client, log):
    """Start, event, metrics and end, each one line with what was given, in order."""
    run_id = client.start_run("agent", "job", "scheduler", product="p", custom=1, item_name=None)
    event_id = client.log_event(run_id, "step", {"n": 1})
    client.set_metrics(run_id, items_discovered=10, metrics_json={"a": 1})
    client.end_run(run_id, "completed", output_summary="done")
    started, event, updated, ended = log.events()
    assert kinds(log) == ["run.started", "run.event", "run.updated", "run.ended"]
    assert re.fullmatch(r"\d{8}T\d{6}Z-agent-[0-9a-f]{24}", run_id)
    assert {e.run_id for e in log.events()} == {run_id}
    assert started.data.pop("host") == started.source.split("/")[0]
    assert started.data == {
        "agent_name": "agent",
        "job_type": "job",
        "trigger_type": "scheduler",
        "product": "p",
        "custom": 1,
    }
    assert event.id == event_id
    assert event.data == {"event_type": "step", "payload": {"n": 1}}
    assert updated.data == {"items_discovered": 10, "metrics_json": {"a": 1}}
    assert ended.data.pop("duration_ms") >= 0
    assert ended.data == {"status": "success", "output_summary": "done"}
    assert started.source.endswith(f"/{os.getpid()}")


def test_defaults_are_filled_in_only_where_nothing_was_given(base, log):
    """Owner, host and git come from the surroundings; a value of one's own stands."""
    client = TelemetryClient(TelemetryConfig.for_base(base, {"AGENT_OWNER": "team"}))
    client.start_run("a", "j", run_id="filled")
    client.start_run("a", "j", run_id="own", agent_owner="me", host="h", git_branch="b")
    assert log.run("filled")["agent_owner"] == "team"
    own = log.run("own")
    assert (own["agent_owner"], own["host"], own["git_branch"]) == ("me", "h", "b")


def test_a_checkout_that_cannot_be_read_costs_no_run(base, log, monkeypatch):
    """Whatever goes wrong in the surroundings, the run has begun with what was given."""
    monkeypatch.setattr("telemetry_core.surroundings.git_fields", lambda: 1 / 0)
    client = TelemetryClient(TelemetryConfig.for_base(base))
    client.start_run("a", "j", run_id="r")
    assert log.run("r")["agent_name"] == "a"
    assert client.get_stats()["client_errors"] == 1


@pytest.mark.parametrize(
    "run_id",
    ["a\0b", "x/../y", "two\nlines", "\ud800", "z" * 200_000, 7, b"raw", object()],
    ids=lambda run_id: ascii(run_id)[:12],
)
def test_any_run_id_is_taken_and_its_events_meet(client, log, run_id):
    """Odd ids neither raise nor split a run, and children can be started meanwhile."""
    with client.track_run("a", "j", run_id=run_id) as ctx:
        client.log_event(run_id, "e")
        child = "import os; print(ascii(os.environ['TELEMETRY_PARENT_RUN_ID']))"
        out = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
        assert out.stdout.strip() == ascii(ctx.run_id)
    assert {event.run_id for event in log.events()} == {ctx.run_id}
    assert kinds(log) == ["run.started", "run.event", "run.ended"]


def test_events_without_a_run_are_kept(client, log):
    """None or nothing as a run id still makes a line that readers take."""
    assert client.log_event(None, "e", 1)
    assert client.log_event("", "e", 2)
    assert log.torn() == []
    assert log.payloads() == [1, 2]


def test_log_events_is_one_write(client, log, monkeypatch):
    """One lock, one write, as many lines; nothing for nothing."""
    client.log_event("run", "e", "open")
    writes = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(1) or real(fd, data))
    ids = client.log_events("run", ((f"e{n}", n) for n in range(100)))
    assert len(writes) == 1
    assert log.ids()[1:] == ids
    assert client.log_events("run", []) == []
    assert len(writes) == 1


def test_a_batch_with_something_odd_in_it_is_not_lost(client, log):
    """What is no pair is kept as it is; what came before an iterable failed is written.

    What the iterable raises is the caller's own.
    """

    def failing():
        yield "e", "before"
        raise RuntimeError("the caller's own")

    assert len(client.log_events("run", [("e", 1), "only a type", 7, ["e", 2]])) == 4
    with pytest.raises(RuntimeError, match="the caller's own"):
        client.log_events("run", failing())
    assert client.log_events("run", 7) is None
    assert log.payloads() == [1, None, 7, 2, "before"]
    assert client.get_stats()["client_errors"] == 1


class Hostile:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__
    __hash__ = None

    def __eq__(self, other):
        raise RuntimeError("no")


def test_no_argument_makes_any_method_raise(client):
    """Whatever is given, of whatever type: counted at worst."""
    bad = Hostile()
    run_id = client.start_run(bad, bad, bad, run_id=bad, product=bad)
    assert isinstance(run_id, str)
    assert client.start_run(None, None, None)
    client.log_event(bad, bad, bad)
    client.log_event(run_id)
    client.log_events(bad, bad)
    client.set_metrics(run_id, product=bad, run_id="twice")
    client.end_run(bad, bad, product=bad)
    client.associate_commit(bad, bad, bad, bad, bad)
    with client.track_run(bad, bad, bad, product=bad) as ctx:
        ctx.log_event(bad, bad)
        ctx.set_metrics(product=bad)
    client.get_stats()
    client.flush()
    client.close()


def test_a_huge_event_type_is_cut_like_a_huge_payload(client, log):
    """The line stays one that readers take."""
    assert client.log_event("run", "t" * 20_000_000, "p")
    (event,) = log.events()
    assert "[cut: " in event.data["event_type"]
    assert event.data["payload"] == "p"


class Cancelled(BaseException):
    """As trio has one."""


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "status", "summary"),
    [
        (ValueError("no"), "failed", "ValueError: no"),
        (Unprintable(), "failed", "Unprintable: <unprintable>"),
        (TimeoutError("late"), "failed", "TimeoutError: late"),
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (GeneratorExit(), "cancelled", "GeneratorExit"),
        (asyncio.CancelledError(), "cancelled", "CancelledError"),
        (Cancelled(), "cancelled", "Cancelled"),
        (SystemExit(), "success", None),
        (SystemExit(0), "success", None),
        (SystemExit(2), "failed", "SystemExit: 2"),
        (SystemExit("message"), "failed", "SystemExit: message"),
    ],
)
def test_the_way_a_block_is_left_is_the_status(client, log, error, status, summary):
    """The exception itself goes on to the caller; an error says which and where."""
    with pytest.raises(type(error)) as caught, client.track_run("a", "j") as ctx:
        raise error
    assert caught.value is error
    fields = log.run(ctx.run_id)
    assert (fields["status"], fields.get("error_summary")) == (status, summary)
    assert ("test_client.py" in fields.get("error_details", "")) == (summary is not None)
    assert kinds(log) == ["run.started", "run.ended"]


def test_a_run_that_was_ended_inside_is_not_ended_again(client, log):
    """By the context or by the client; only an error has more to say."""
    with client.track_run("a", "j") as one:
        one.end("partial", items_failed=1)
    with client.track_run("a", "j") as two:
        client.end_run(two.run_id, "timeout")
    with pytest.raises(SystemExit), client.track_run("a", "j") as three:
        three.end("partial")
        sys.exit(0)
    with pytest.raises(ValueError, match="late"), client.track_run("a", "j") as four:
        four.end("success")
        raise ValueError("late")
    assert [log.run(ctx.run_id)["status"] for ctx in (one, two, three, four)] == [
        "partial",
        "timeout",
        "partial",
        "failed",
    ]
    assert kinds(log).count("run.ended") == 5


def test_a_context_does_what_the_client_does(client, log):
    """ctx.log_event, log_events and set_metrics are of its run."""
    with client.track_run("a", "j", product="p") as ctx:
        assert ctx.log_event("e", 1)
        assert len(ctx.log_events([("e", 2), ("e", 3)])) == 2
        ctx.set_metrics(items_discovered=10)
        assert log.run(ctx.run_id)["items_discovered"] == 10
    assert {event.run_id for event in log.events()} == {ctx.run_id}
    assert log.run(ctx.run_id)["product"] == "p"
    assert log.payloads() == [1, 2, 3]


def test_nested_runs_name_their_parent(client, log):
    """Inside, next to it and afterwards."""
    with client.track_run("a", "outer", run_id="outer"):
        with client.track_run("a", "inner", run_id="inner"):
            client.start_run("a", "j", run_id="innermost")
        client.start_run("a", "j", run_id="sibling", parent_run_id="given")
    client.start_run("a", "j", run_id="after")
    parents = [log.run(r).get("parent_run_id") for r in ("inner", "innermost", "sibling", "after")]
    assert parents == ["outer", "inner", "given", None]


def test_interleaving_tasks_keep_their_runs_apart(client, log):
    """Each task's inner run is a child of that task's outer run, though all take turns."""

    async def task(name):
        async with client.track_run("a", "outer", run_id=f"outer-{name}"):
            await asyncio.sleep(0.001)
            async with client.track_run("a", "inner", run_id=f"inner-{name}") as ctx:
                await asyncio.sleep(0.001)
                ctx.log_event("e")

    async def main():
        await asyncio.gather(*(task(n) for n in range(10)))

    before = dict(os.environ)
    asyncio.run(main())
    for n in range(10):
        assert log.run(f"inner-{n}")["parent_run_id"] == f"outer-{n}"
        assert "parent_run_id" not in log.run(f"outer-{n}")
    assert dict(os.environ) == before


def test_a_cancelled_task_is_a_cancelled_run(client, log):
    """And the cancellation is not swallowed."""

    async def forever():
        async with client.track_run("a", "j", run_id="r"):
            await asyncio.sleep(60)

    async def main():
        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log.run("r")["status"] == "cancelled"


def test_threads_track_runs_of_their_own(client, log):
    """A thread's run is not the child of the main thread's, and changes no environment."""

    def work(n):
        with client.track_run("a", "thread", run_id=f"t{n}"):
            client.start_run("a", "j", run_id=f"child-{n}")

    with client.track_run("a", "main"):
        environ = dict(os.environ)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert dict(os.environ) == environ
    for n in range(8):
        assert log.run(f"child-{n}")["parent_run_id"] == f"t{n}"
        assert "parent_run_id" not in log.run(f"t{n}")


CHILD = """
    import os, sys
    from telemetry_core import TelemetryClient
    client = TelemetryClient()
    client.start_run("child", "job", run_id=sys.argv[1])
    print(os.environ["TRACEPARENT"])
"""


def test_a_child_process_names_its_parent_by_the_environment(client, base, log):
    """By the process's own environment, and by child_env where several runs are open."""
    variables = {"TELEMETRY_BASE_DIR": str(base)}
    with client.track_run("a", "j") as outer, client.track_run("a", "j") as inner:
        assert os.environ[PARENT_VARIABLE] == inner.run_id
        trace = run(CHILD, "one", **variables).strip()
        assert TRACEPARENT.fullmatch(trace)
        assert trace == os.environ[TRACE_VARIABLE]
        run(CHILD, "two", **{**outer.child_env(environment()), **variables})
    assert log.run("one")["parent_run_id"] == inner.run_id
    assert log.run("two")["parent_run_id"] == outer.run_id
    assert PARENT_VARIABLE not in os.environ


def test_a_client_can_be_pickled(client):
    """It starts afresh where it comes out, on the same log."""
    assert pickle.loads(pickle.dumps(client))._recorder.writer is client._recorder.writer


@pytest.mark.needs("signals")
def test_a_signal_handler_may_log(client, log):
    """A storm of signals during a storm of events: all of both are in the log."""
    handled = []

    def handle(*_):
        handled.append(client.log_event("run", "signal"))
        if len(handled) < 200:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)

    before = signal.signal(signal.SIGALRM, handle)
    straight = []
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        while len(handled) < 200:
            straight.append(client.log_event("run", "straight"))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert None not in handled + straight
    assert sorted(log.ids()) == sorted(handled + straight)
    assert log.torn() == []


@pytest.mark.parametrize("daemons", [0, 1])
def test_the_last_words_of_a_process_are_in_the_log(tmp_path, daemons):
    """From atexit, from __del__ and with a daemon thread; and it ends in silence."""
    run(
        """
        import atexit, sys, threading
        from pathlib import Path
        from telemetry_core import TelemetryClient, TelemetryConfig
        client = TelemetryClient(TelemetryConfig.for_base(Path(sys.argv[1])))
        class Last:
            def __del__(self, client=client):
                client.log_event("run", "del")
        kept_to_the_end = Last()
        atexit.register(client.log_event, "run", "atexit")
        started = threading.Event()
        def endless():
            while True:
                client.log_event("run", "daemon")
                started.set()
        if sys.argv[2] == "1":
            threading.Thread(target=endless, daemon=True).start()
            assert started.wait(60)
        """,
        str(tmp_path),
        str(daemons),
    )
    log = Log(tmp_path / "raw")
    types = [event.data["event_type"] for event in log.events()]
    assert types.count("atexit") == 1
    # Python may not call __del__ while a thread is left.
    assert daemons or types == ["atexit", "del"]
    assert len(set(log.ids())) == len(types)


def test_a_commit_can_be_associated_later(client, log):
    """By any client, also after the end; what is not given says nothing."""
    run_id = client.start_run("a", "j")
    client.end_run(run_id)
    client.associate_commit(run_id, "abc", "llm", commit_author="me")
    assert log.events()[-1].data == {
        "git_commit_hash": "abc",
        "git_commit_source": "llm",
        "git_commit_author": "me",
    }


def test_any_process_may_end_a_run_but_only_its_own_measures_it(client, base, log):
    """A client that did not start it has no duration to tell."""
    run_id = client.start_run("a", "j")
    assert client.is_open(run_id)
    other = TelemetryClient(TelemetryConfig.for_base(base))
    assert not other.is_open(run_id)
    other.end_run(run_id, "failed")
    assert "duration_ms" not in log.events()[-1].data
    client.end_run(run_id, duration_ms=5)
    assert log.events()[-1].data["duration_ms"] == 5
    assert not client.is_open(run_id)


def test_stats_are_those_of_the_view_and_of_the_writer(client, base):
    """Without a view zeros, with one its counts, with a broken one what is wrong; no error."""
    stats = client.get_stats()
    assert (stats["total_runs"], stats["status_counts"], stats["pending_api_posts"]) == (0, {}, 0)
    assert {"events_spilled", "events_waiting", "events_dropped", "write_errors"} <= stats.keys()
    (base / "db").mkdir(parents=True)
    view = sqlite3.connect(base / "db/telemetry.sqlite")
    view.execute("CREATE TABLE agent_runs (status)")
    view.executemany("INSERT INTO agent_runs VALUES (?)", [("success",)] * 2 + [("running",)])
    view.execute("CREATE TABLE outbox (target, run_id)")
    view.executemany("INSERT INTO outbox VALUES (?, 'r')", [("api",), ("other",)])
    view.commit()
    view.close()
    stats = client.get_stats()
    assert (stats["total_runs"], stats["pending_api_posts"]) == (3, 1)
    assert stats["status_counts"] == {"success": 2, "running": 1}
    (base / "db/telemetry.sqlite").write_bytes(b"no database" * 100)
    assert "database_error" in client.get_stats()


@pytest.mark.needs("open-moves")
def test_a_host_that_changes_directory_keeps_its_log(tmp_path):
    """A relative base, a chdir, and a working directory that disappears."""
    run(
        """
        import os, sys
        os.chdir(sys.argv[1])
        os.environ["TELEMETRY_BASE_DIR"] = "base"
        from telemetry_core import TelemetryClient
        client = TelemetryClient()
        os.mkdir("gone")
        os.chdir("gone")
        os.rmdir(os.path.join(sys.argv[1], "gone"))
        with client.track_run("a", "j") as ctx:
            assert ctx.log_event("e")
        """,
        str(tmp_path),
    )
    assert kinds(Log(tmp_path / "base/raw")) == ["run.started", "run.event", "run.ended"]
