"""It has every alarm of status and every finding of doctor, in the code's words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from indexer.doctor.examination import CHECKS
from indexer.log.streams import UNFINISHED, StreamBroken
from tests.support.process import ROOT

_RUNBOOK = " ".join((ROOT / "docs" / "RUNBOOK.md").read_text(encoding="utf-8").split())
_MAKERS = ("note", "warning", "failure", "_remains")
_A_PHRASE = 10
"""Shorter pieces of a message, between two values, could stand anywhere."""
_DOCTOR = ROOT / "indexer" / "doctor"


def _pieces(node: ast.AST) -> list[str]:
    """The literal pieces of messages below a node that are long enough to be known by."""
    texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    pieces = [" ".join(text.split()) for text in texts if isinstance(text, str)]
    return [piece.strip(" (:;,") for piece in pieces if len(piece) >= _A_PHRASE and " " in piece]


def _findings(path: Path) -> list[list[str]]:
    """The pieces of each finding that a check makes, one list a finding."""
    found = []
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        named = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in _MAKERS:
                words = [named.get(getattr(one, "id", ""), one) for one in call.args]
                found.append([piece for word in words for piece in _pieces(word)])
    return found


def _alarms() -> list[str]:
    """The pieces of every problem that status tells: all texts of the file but docstrings."""
    tree = ast.parse((ROOT / "indexer" / "health" / "findings.py").read_text(encoding="utf-8"))
    return [
        piece
        for node in ast.walk(tree)
        if isinstance(node, (ast.JoinedStr, ast.Call, ast.List))
        for piece in _pieces(node)
    ]


@pytest.mark.parametrize("check", CHECKS)
def test_every_finding_of_doctor_is_in_the_runbook(check: str) -> None:
    """By the first words that mark it, what it says or what to do; below its check's heading."""
    section = _RUNBOOK.partition(f" ### {check} ")[2].partition(" ### ")[0]
    findings = [pieces for pieces in _findings(_DOCTOR / f"{check}.py") if pieces]
    assert findings
    for pieces in findings:
        assert any(piece in section for piece in pieces), pieces


def test_what_every_check_may_say_is_in_the_runbook() -> None:
    """Of checks that could not be made."""
    for pieces in _findings(_DOCTOR / "examination.py"):
        assert any(piece in _RUNBOOK for piece in pieces), pieces


def test_every_alarm_of_status_is_in_the_runbook() -> None:
    """Word for word, but for the values in it."""
    alarms = _alarms()
    assert len(alarms) > 10
    for piece in alarms:
        assert piece in _RUNBOOK, piece


def test_every_fault_of_a_log_file_is_in_the_runbook() -> None:
    """With what the status gives as the next step."""
    assert UNFINISHED in _RUNBOOK
    assert StreamBroken.hint in _RUNBOOK
