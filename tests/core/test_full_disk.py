"""A log that can't grow: no space, no file that long, no descriptor, no writing at all."""

from __future__ import annotations

import os
import time

import pytest

from telemetry_core.errors import LockTimeout
from telemetry_core.lock import SidecarLock
from telemetry_core.shared_log import SharedLog
from tests.support.agent import run_agent
from tests.support.log import Log
from tests.support.mounts import private_mounts
from tests.support.oracle import assert_kept


@pytest.mark.parametrize(
    ("full", "roomy"),
    [("size=64k", "size=32m"), ("nr_inodes=3", "nr_inodes=1000")],
    ids=["no space", "no inode"],
)
def test_a_disk_that_fills_stays_full_and_gets_room_again_loses_nothing(base, full, roomy):
    """What was acknowledged is there, and what was not arrives, once, when there is room."""
    run_agent(
        base,
        """
        from tests.support.mounts import mount
        mount(base, "-t", "tmpfs", "-o", sys.argv[2], "tmpfs")
        ids = [client.log_event("run", "e", [n, "x" * 500]) for n in range(300)]
        ids += client.log_events("run", [("e", [n, "x" * 500]) for n in (300, 301)]) or []
        assert ids[-1] is None and len(ids) == 300
        stats = client.get_stats()
        assert stats["events_waiting"] == ids.count(None) + 2 and stats["events_dropped"] == 0
        assert "No space left" in stats["last_write_error"]
        mount(base, "-o", "remount," + sys.argv[3])
        ids.append(client.log_event("run", "e", [302, ""]))
        assert ids[-1] and client.flush()
        log = assert_kept(base, ids)
        assert sorted({payload[0] for payload in log.payloads()}) == list(range(303))
        client.close()
        """,
        full,
        roomy,
        through=private_mounts(),
    )


def test_several_writers_on_a_full_disk_seal_each_others_fragments(base):
    """Each tears the file in its turn; when there is room every event of each is there."""
    run_agent(
        base,
        """
        from tests.support.mounts import mount
        mount(base, "-t", "tmpfs", "-o", "size=96k", "tmpfs")
        children, go_on, wait = [], *reversed(os.pipe())
        for name in "abc":
            read, write = os.pipe()
            if os.fork() == 0:
                ids = [client.log_event(name, "e", "x" * 3_000) for n in range(40)]
                assert ids[-1] is None
                os.write(write, b"f")
                os.read(wait, 1)
                ids.append(client.log_event(name, "e", "last"))
                assert client.flush()
                os.write(write, "".join(f"{i}\\n" for i in ids if i).encode())
                os._exit(0)
            os.close(write)
            children.append(read)
        assert [os.read(read, 1) for read in children] == [b"f"] * 3
        mount(base, "-o", "remount,size=32m")
        os.write(go_on, b"go!")
        ids = [i for read in children for i in os.read(read, 65536).decode().split()]
        log = assert_kept(base, ids)
        assert len(set(log.ids())) == 3 * 41
        assert log.torn()
        """,
        through=private_mounts(),
    )


def test_a_file_system_that_is_read_only_for_a_while_loses_nothing(base):
    """EROFS: events wait in memory until it is writable again."""
    run_agent(
        base,
        """
        from tests.support.mounts import mount
        mount(base, "-t", "tmpfs", "tmpfs")
        ids = [client.log_event("run", "e", 0)]
        client.close()
        mount(base, "-o", "remount,ro")
        assert [client.log_event("run", "e", n) for n in (1, 2)] == [None, None]
        assert "Read-only" in client.get_stats()["last_write_error"]
        mount(base, "-o", "remount,rw")
        ids.append(client.log_event("run", "e", 3))
        log = assert_kept(base, ids)
        assert log.payloads() == [0, 1, 2, 3]
        client.close()
        """,
        through=private_mounts(),
    )


_LIMITED = """
import resource
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
"""


@pytest.mark.needs("limits")
@pytest.mark.parametrize("failures", [1, 50])
def test_files_that_may_not_grow_for_a_while_lose_nothing(base, failures):
    """EFBIG, once and again and again: shared and own file are full, and then are not."""
    ids = run_agent(
        base,
        _LIMITED
        + """
limit(2_000)
ids, failures = [], 0
while failures < int(sys.argv[2]):
    ids.append(client.log_event("run", "e", len(ids)))
    failures += ids[-1] is None
limit(resource.RLIM_INFINITY)
ids.append(client.log_event("run", "e", len(ids)))
assert client.flush() and client.get_stats()["events_dropped"] == 0
print(*filter(None, ids))
""",
        str(failures),
    )
    log = assert_kept(base, ids)
    assert len(log.own()) == 1
    assert sorted(set(log.payloads())) == list(range(len(set(log.ids()))))
    assert len(set(log.ids())) == len(ids) + failures


@pytest.mark.needs("limits")
def test_files_that_may_not_grow_from_then_on_cost_no_acknowledged_event_and_no_exit(base):
    """EFBIG to the end: the process ends well and in silence; what was acknowledged is there."""
    ids = run_agent(
        base,
        _LIMITED
        + """
limit(2_000)
ids = [client.log_event("run", "e", n) for n in range(50)]
assert ids[-1] is None
print(*filter(None, ids))
""",
    )
    assert 10 < len(ids) < 50
    assert_kept(base, ids)


@pytest.mark.needs("limits")
def test_drops_of_a_process_that_ends_before_its_next_event_are_recorded(base):
    """The backlog overflowed, the disk is well again, and exit itself is the next write."""
    ids = run_agent(
        base,
        _LIMITED
        + """
ids = [client.log_event("run", "e", "first")]
client._recorder.writer._backlog._max_bytes = 3_000
limit(0)
assert {client.log_event("run", "e", n) for n in range(100)} == {None}
limit(resource.RLIM_INFINITY)
print(ids[0], client.get_stats()["events_dropped"])
""",
    )
    log = assert_kept(base, ids[:1])
    (reported,) = [event for event in log.events() if event.type == "writer.dropped"]
    assert reported.data == {"events_dropped": int(ids[1])}
    assert len(log.payloads()) == 101 - int(ids[1])


def test_what_waited_long_does_not_hold_up_the_event_that_finds_room(client, log, monkeypatch):
    """It follows, a budget's worth with each event; at flush and exit all of it."""
    with monkeypatch.context() as patch:
        patch.setattr("os.open", lambda *_: 1 / 0)
        assert {client.log_event("run", "e", n) for n in range(50)} == {None}
    client._recorder.budget = 0.0
    assert client.log_event("run", "e", 50)
    assert log.payloads() == [0, 50]
    assert client.flush()
    assert sorted(log.payloads()) == list(range(51))


def test_all_that_waits_has_one_budget_for_the_lock(client, log, monkeypatch):
    """Behind a lock that is busy, not stuck, a thousand waiting events are not a minute's wait."""
    with monkeypatch.context() as patch:
        patch.setattr("os.open", lambda *_: 1 / 0)
        assert {client.log_event("run", "e", n) for n in range(50)} == {None}
    budgets = []

    def busy(_lock, budget):
        budgets.append(budget)
        time.sleep(budget)
        raise LockTimeout("busy")

    monkeypatch.setattr(SidecarLock, "acquire", busy)
    monkeypatch.setattr(SharedLog, "_has_grown", lambda _: True)
    assert client.flush()
    assert len(budgets) == 50
    assert sum(budgets) <= client._recorder.budget
    assert log.payloads() == list(range(50))


_NO_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
def take_all():
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
def give_back():
    while taken:
        os.close(taken.pop())
"""


@pytest.mark.needs("limits")
@pytest.mark.parametrize("event_before", [True, False])
def test_no_descriptor_to_be_had_makes_events_wait(base, event_before):
    """EMFILE when the files must be opened, for the first time or again; later there are some."""
    ids = run_agent(
        base,
        _NO_DESCRIPTORS
        + """
ids = [client.log_event("run", "e", 0)] if sys.argv[2] == "True" else []
if ids:
    client.close()
take_all()
with client.track_run("agent", "job", run_id="r"):
    assert client.log_event("run", "e", 1) is None
assert "Too many open files" in client.get_stats()["last_write_error"]
give_back()
ids.append(client.log_event("run", "e", 2))
assert client.flush()
print(*ids)
""",
        str(event_before),
    )
    log = assert_kept(base, ids)
    assert log.payloads() == [0, 1, 2][not event_before :]
    assert [e.type for e in log.events() if e.run_id == "r"] == ["run.started", "run.ended"]


@pytest.mark.needs("limits")
def test_a_descriptor_for_the_lock_but_none_for_the_file_gives_the_lock_back(base):
    """The event is in the own log, and other processes are not kept from the shared one."""
    ids = run_agent(
        base,
        _NO_DESCRIPTORS
        + """
take_all()
os.close(taken.pop())
ids = [client.log_event("run", "e", n) for n in range(3)]
assert None not in ids and client.get_stats()["events_spilled"] == 3
if os.fork() == 0:
    give_back()
    os._exit(0 if client.log_event("run", "e", "other") else 1)
assert os.wait()[1] == 0
give_back()
ids.append(client.log_event("run", "e", 3))
print(*ids)
""",
    )
    log = assert_kept(base, ids)
    assert b'"other"' in log.bytes()
    assert log.bytes().count(b"\n") == 2


@pytest.mark.needs("limits")
def test_files_that_are_none_of_ours_leave_no_descriptor_open(base, client):
    """Each refusal closes what it opened: a day of refusals must not end in EMFILE."""
    raw = base / "raw"
    raw.mkdir(parents=True)
    os.mkfifo(raw / ".events.lock")
    client.log_event("run", "e")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        assert client.log_event("run", "e")
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(Log(raw).ids()) == 21
