"""An address that somebody listens at is nobody else's."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

import pytest

pytest.importorskip("uvicorn", reason="needs the extra `ui` or `receive`")

from indexer.system.http_server import listen


@pytest.mark.parametrize("insists", [False, True], ids=["as usual", "insisting"])
def test_a_port_has_one_server(insists: bool) -> None:
    """On Windows another program gets it by SO_REUSEADDR, unless the first one forbids it."""
    with closing(listen("127.0.0.1", 0, 5)) as ours, socket.socket() as theirs:
        if insists:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as refused:  # noqa: PT011  # its words are the system's
            theirs.bind(ours.getsockname())
    assert refused.value.errno in (errno.EADDRINUSE, errno.EACCES)


def test_a_port_is_free_again_once_its_server_is_gone() -> None:
    """Although a connection of the last one lingers."""
    with closing(listen("127.0.0.1", 0, 5)) as first:
        address = first.getsockname()
        with socket.create_connection(address), first.accept()[0]:
            pass
    listen(*address, 5).close()
