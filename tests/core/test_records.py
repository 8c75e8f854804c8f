from __future__ import annotations

import dataclasses
import json
import pickle

import telemetry_core
from telemetry_core import RUN_FIELDS, APIPayload, RunEvent, RunRecord
from telemetry_core.run_fields import API_FIELDS

RUN = {
    "run_id": "r",
    "agent_name": "a",
    "job_type": "j",
    "trigger_type": "cli",
    "start_time": "2026-11-22T00:00:00Z",
}


def test_a_run_record_has_every_run_field():
    """The one list of fields is the record's too, with the defaults of a run that began."""
    record = RunRecord(**RUN)
    kinds = {"text": "str", "time": "str", "json": "str", "integer": "int"}
    types = {field.name: field.type for field in dataclasses.fields(RunRecord)}
    for field in RUN_FIELDS:
        assert types[field.name] in (kinds[field.kind], f"Optional[{kinds[field.kind]}]")
    assert {field.name for field in dataclasses.fields(APIPayload)} <= types.keys()
    assert (record.status, record.items_failed, record.end_time) == ("running", 0, None)


def test_records_come_back_from_their_dictionaries():
    """to_dict, to_json and from_dict agree; unknown names are left out; pickling works."""
    record = RunRecord(**RUN, product="p")
    assert record.to_dict()["record_type"] == "run"
    assert RunRecord.from_dict({**record.to_dict(), "stranger": 1}) == record
    assert json.loads(record.to_json()) == record.to_dict()
    assert pickle.loads(pickle.dumps(record)) == record
    event = RunEvent("r", "e", "2026-11-22T00:00:00Z")
    assert event.to_dict()["record_type"] == "event"
    assert RunEvent.from_dict(event.to_dict()) == event


def test_the_api_payload_has_the_twenty_fields_that_have_a_value():
    """No null is posted and nothing that receivers do not know."""
    payload = APIPayload.from_run_record(RunRecord(**RUN, product="p", insight_id="i"))
    posted = payload.to_dict()
    assert len(API_FIELDS) == 20
    assert {field.name for field in dataclasses.fields(APIPayload)} == set(API_FIELDS)
    assert posted.keys() <= set(API_FIELDS)
    assert posted["product"] == "p"
    assert None not in posted.values()


def test_every_public_name_is_there():
    """Also the records, which are made only when asked for, and no others."""
    for name in telemetry_core.__all__:
        assert getattr(telemetry_core, name) is not None
    assert not hasattr(telemetry_core, "nonsense")
