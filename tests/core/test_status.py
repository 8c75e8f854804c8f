from __future__ import annotations

import pytest

from telemetry_core.status import STATUSES, normalise_status


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("failure", "failed"),
        ("error", "failed"),
        ("completed", "success"),
        ("succeeded", "success"),
        ("canceled", "cancelled"),
        ("wonderful", "wonderful"),
        ("", ""),
        *((status, status) for status in STATUSES),
    ],
)
def test_aliases_get_their_proper_name_and_the_rest_stays(given, kept):
    """No status is ever rejected."""
    assert normalise_status(given) == kept
