from types import ModuleType
from typing import Any, Callable, Optional, Union

from telemetry_core.fast_append import OpenFile
from telemetry_core.redaction import Redactor

INTERFACE: int

class Ticker:
    def seed(self, time: ModuleType, name: str, counter: int, bits: int, /) -> None: ...
    def next(self) -> tuple[str, str, str]: ...

class Appender:
    def arm(
        self,
        means: tuple[str, Callable[[Any], bytes], Callable[[], bool], Callable[[], None]],
        screen: tuple[Optional[Redactor], Optional[bytes]],
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
        kind: str,
        run_id: str,
        data: dict[str, Any],
        tick: Union[Ticker, tuple[str, str, str], None],
        redactor: Optional[Redactor],
        is_synced: bool,
        budget: float,
        /,
    ) -> Union[str, tuple[str, bytes, str, float], None]: ...
