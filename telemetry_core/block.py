"""Leave the block of a run or a span, by `with` or by `async with`, at once or later."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Optional, TypeVar

from telemetry_core.guard import guarded

_Self = TypeVar("_Self", bound="LeavableBlock")


class LeavableBlock(ABC):
    """What can be around the code of a block, and may stay open when the block is left."""

    _is_kept_open = False

    @abstractmethod
    def __enter__(self: _Self) -> _Self: ...

    @abstractmethod
    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...

    @abstractmethod
    def suspend(self) -> None:
        """Stop being around the code that follows."""

    @abstractmethod
    def _finish(self, error: Optional[BaseException]) -> None: ...

    @guarded
    def finish(self, error: Optional[BaseException] = None) -> None:
        """End by the way the block was left; an error of the host's is only read."""
        self._finish(error)

    @guarded
    def leave(self, error: Optional[BaseException]) -> None:
        """Leave the block: end it, unless it is kept open for what goes on elsewhere."""
        if self._is_kept_open and error is None:
            self._is_kept_open = False
            self.suspend()
        else:
            self._finish(error)

    def keep_open(self) -> None:
        """Leave the block without ending it: `finish` is called later."""
        self._is_kept_open = True

    async def __aenter__(self: _Self) -> _Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.__exit__(kind, error, traceback)
