from typing import Any, Callable, Optional, Union

from telemetry_core.fast_append import OpenFile
from telemetry_core.redaction import Redactor

INTERFACE: int

# The row of each line that is spelled as our writer's are, None for any other; and where those
# others are: their index and offset. `offset` is that of the first line.
def usual_rows(
    lines: list[bytes],
    file: int,
    offset: int,
    loads: Callable[[bytes], Any],
    dumps: Callable[[Any], bytes],
    /,
) -> tuple[list[Optional[tuple[Any, ...]]], list[tuple[int, int]]]: ...

class Ticker:
    def seed(self, counter: int, bits: int, /) -> None: ...
    def next(self, now: int, /) -> tuple[str, str, str]: ...

class Appender:
    def arm(
        self,
        means: tuple[
            Callable[[Any], bytes],
            Callable[[], bool],
            Callable[[], None],
            Optional[Redactor],
            Optional[bytes],
        ],
        lock: OpenFile,
        log: OpenFile,
        day: str,
        end: int,
        can_sync: bool,
        seconds: float,
        appends: int,
        /,
    ) -> None: ...
    def disarm(self) -> tuple[int, int]: ...
    def emit(
        self,
        head: Optional[bytes],
        data: dict[str, Any],
        tick: Union[Ticker, tuple[str, str, str], None],
        now: int,
        redactor: Optional[Redactor],
        is_synced: bool,
        budget: float,
        /,
    ) -> Union[str, tuple[str, bytes, str, float], None]: ...
