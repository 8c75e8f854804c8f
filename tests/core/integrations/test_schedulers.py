"""Celery and APScheduler, the real ones: each task and each execution is a run."""

from __future__ import annotations

import threading
import warnings

import pytest

from telemetry_core import current_run


def finished(log):
    ids = [event.run_id for event in log.events() if event.type == "run.started"]
    return [log.run(run_id) for run_id in ids]


def test_celery_tasks_are_runs(client, log):
    """Well, failed, and retried; inside, the run is the one around."""
    celery = pytest.importorskip("celery")
    from telemetry_core.integrations.celery import connect

    app = celery.Celery("app", broker="memory://", backend="cache+memory://")
    app.conf.task_store_eager_result = False

    @app.task(name="add")
    def add(a, b):
        current_run().log_event("adding")
        return a + b

    @app.task(name="fail", bind=True, max_retries=1, default_retry_delay=0)
    def fail(self, retry):
        error = ValueError("no")
        if retry:
            raise self.retry(exc=error)
        raise error

    connect(client)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert add.apply((1, 2)).get() == 3
        assert fail.apply((False,)).failed()
        assert fail.apply((True,)).failed()
    runs = finished(log)
    assert [(fields["agent_name"], fields["status"]) for fields in runs[:2]] == [
        ("add", "success"),
        ("fail", "failed"),
    ]
    assert runs[1]["error_summary"] == "ValueError: no"
    assert {"partial", "failed"} == {fields["status"] for fields in runs[2:]}
    assert current_run() is None


def test_apschedulers_executions_are_runs(client, log):
    """Well, failed, and missed."""
    pytest.importorskip("apscheduler")
    from datetime import datetime, timedelta, timezone

    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    from telemetry_core.integrations.apscheduler import listen

    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(2)}, timezone="UTC")
    listen(scheduler, client)
    done = threading.Semaphore(0)
    scheduler.add_listener(lambda _: done.release())
    now = datetime.now(timezone.utc)
    late = now - timedelta(hours=1)
    scheduler.add_job(lambda: None, id="well", next_run_time=now, misfire_grace_time=60)
    scheduler.add_job(lambda: 1 / 0, id="bad", next_run_time=now, misfire_grace_time=60)
    scheduler.add_job(lambda: None, id="late", next_run_time=late, misfire_grace_time=1)
    scheduler.start()
    try:
        ended = {"well": "success", "bad": "failed", "late": "cancelled"}
        while {run["agent_name"]: run.get("status") for run in finished(log)} != ended:
            assert done.acquire(timeout=20), finished(log)
    finally:
        scheduler.shutdown()
    (bad,) = [fields for fields in finished(log) if fields["agent_name"] == "bad"]
    assert bad["error_summary"] == "ZeroDivisionError: division by zero"
    assert "test_schedulers.py" in bad["error_details"]
