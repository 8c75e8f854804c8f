"""The services' files against what their managers allow, as Microsoft and Apple document it."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from indexer.service import launchd, windows
from indexer.service.definition import ServiceDefinition, define
from indexer.system.base import Base
from telemetry_core import TelemetryConfig

_TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
_BOOLEAN = "true|false"
_DURATION = r"PT(\d+H)?(\d+M)?(\d+S)?"
_COUNT = "[1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]"

# Which element contains which, and the text of the others, by Task Scheduler Schema, version 1.2.
_CHILDREN = {
    "Task": {"RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"},
    "RegistrationInfo": {"URI", "SecurityDescriptor", "Source", "Date", "Author", "Version"}
    | {"Description", "Documentation"},
    "Triggers": {"BootTrigger", "TimeTrigger", "LogonTrigger", "IdleTrigger", "CalendarTrigger"},
    "LogonTrigger": {"Enabled", "StartBoundary", "EndBoundary", "Repetition"}
    | {"ExecutionTimeLimit", "UserId", "Delay"},
    "Principals": {"Principal"},
    "Principal": {"UserId", "GroupId", "DisplayName", "LogonType", "RunLevel"},
    "Settings": {"AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy"}
    | {"DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "AllowHardTerminate"}
    | {"StartWhenAvailable", "NetworkProfileName", "RunOnlyIfNetworkAvailable", "WakeToRun"}
    | {"Enabled", "Hidden", "DeleteExpiredTaskAfter", "IdleSettings", "NetworkSettings"}
    | {"ExecutionTimeLimit", "Priority", "RunOnlyIfIdle"},
    "RestartOnFailure": {"Interval", "Count"},
    "Actions": {"Exec", "ComHandler", "SendEmail", "ShowMessage"},
    "Exec": {"Command", "Arguments", "WorkingDirectory"},
}
_TEXTS = {
    "Enabled": _BOOLEAN,
    "DisallowStartIfOnBatteries": _BOOLEAN,
    "StopIfGoingOnBatteries": _BOOLEAN,
    "StartWhenAvailable": _BOOLEAN,
    "MultipleInstancesPolicy": "Parallel|Queue|IgnoreNew|StopExisting",
    "ExecutionTimeLimit": _DURATION,
    "Interval": _DURATION,
    "Count": _COUNT,
    "Priority": "[0-9]|10",
    "LogonType": "S4U|Password|InteractiveToken|InteractiveTokenOrPassword",
    "RunLevel": "LeastPrivilege|HighestAvailable",
    "URI": r"\\[^\\/:*?\"<>|]+",
    "Description": "(?s).+",
    "Command": ".{1,260}",
    "Arguments": "(?s).{1,8191}",
}
# Apple's launchd.plist(5): each key that we use, with its type.
_KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "EnvironmentVariables": dict,
    "WorkingDirectory": str,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "ProcessType": str,
    "Umask": int,
    "StandardOutPath": str,
    "StandardErrorPath": str,
}


@pytest.fixture(params=["base", "a base & <more>", "\u00e9\u4e2d"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> ServiceDefinition:
    """The service of a base, however that is called."""
    base = Base(TelemetryConfig.for_base(tmp_path / request.param))
    return define("local-telemetry", base, {})


def test_the_task_keeps_to_the_schema(service: ServiceDefinition) -> None:
    """Every element is where it may be, once, with a value of its type."""
    root = ET.fromstring(windows.data(service))
    assert root.tag == f"{_TASK}Task"
    assert root.get("version") == "1.2"
    for element in root.iter():
        name = element.tag.removeprefix(_TASK)
        children = [child.tag.removeprefix(_TASK) for child in element]
        if name in _CHILDREN:
            assert set(children) <= _CHILDREN[name], name
            assert len(set(children)) == len(children), name
        else:
            assert not children, name
            assert re.fullmatch(_TEXTS[name], element.text or ""), (name, element.text)


def test_the_task_runs_as_the_principal_that_it_names(service: ServiceDefinition) -> None:
    """The context of its actions is the identifier of its one principal."""
    root = ET.fromstring(windows.data(service))
    principal = root.find(f"{_TASK}Principals/{_TASK}Principal")
    actions = root.find(f"{_TASK}Actions")
    assert principal is not None
    assert actions is not None
    assert actions.get("Context") == principal.get("id")


def test_the_task_is_spelled_as_the_scheduler_reads_it(service: ServiceDefinition) -> None:
    """UTF-16 with its mark, as the declaration says, and lines that end as Windows' do."""
    data = windows.data(service)
    assert data.startswith(b"\xff\xfe")
    text = data.decode("utf-16")
    assert 'encoding="UTF-16"' in text
    assert text.count("\r\n") == text.count("\n")


def test_the_agent_has_only_what_launchd_knows(service: ServiceDefinition) -> None:
    """Each key is one of launchd's, with a value of its type, and every path is absolute."""
    found = plistlib.loads(launchd.data(service))
    for key, value in found.items():
        assert type(value) is _KEYS[key], key
    assert all(isinstance(word, str) for word in found["ProgramArguments"])
    assert all(isinstance(value, str) for value in found["EnvironmentVariables"].values())
    assert set(found["KeepAlive"]) <= {"SuccessfulExit", "Crashed", "PathState"}
    assert found["ProcessType"] in ("Background", "Standard", "Adaptive", "Interactive")
    assert 0 <= found["Umask"] <= 0o777
    for key in ("StandardOutPath", "StandardErrorPath"):
        assert Path(found[key]).is_absolute()
