"""Keep our failures away from the host, and the host's exceptions intact.

Wraps every public method. Our own exceptions are counted and the method returns None; an
exception that other code raised inside our call (a signal handler, a timeout decorator) passes
through once our own state is in order.
"""

from __future__ import annotations

import functools
import os
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from telemetry_core.recorder import Recorder

_Method = TypeVar("_Method", bound=Callable[..., Any])

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_OUR_MODULES = ("telemetry_core", "telemetry")
_TRUSTED_TYPES = (*_OUR_MODULES, "builtins", "orjson", "portalocker", "sqlite3")
_VARARGS = 0x04


class _Recording(Protocol):
    """Whatever has a recorder to count failures with."""

    _recorder: Recorder


def guarded(method: _Method) -> _Method:
    """Count what goes wrong in `method` and return None instead of raising it."""
    return guarded_or(_nothing)(method)


def guarded_or(
    otherwise: Callable[..., Any], at_the_limit: Any = None
) -> Callable[[_Method], _Method]:
    """As `guarded`, but return what `otherwise` makes of the same arguments.

    Where there is no room on the stack even for that, return `at_the_limit`.
    """

    def decorate(method: _Method) -> _Method:
        @functools.wraps(method)
        def guarded_call(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except RecursionError:
                # Nothing is called here: at the limit of the stack a call would fail as well.
                args[0]._recorder.errors += 1  # noqa: SLF001  # every guarded class has one
                return at_the_limit
            except Exception as error:
                # At the very end of the interpreter the names of this module are None.
                if _count is not None:
                    if _is_foreign_safely(error):
                        raise
                    _count(args[0], method, error)
            return otherwise(*args, **kwargs)

        return cast("_Method", guarded_call)

    return decorate


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """What is left where nothing could be done."""


def _count(owner: _Recording, method: Callable[..., Any], error: Exception) -> None:
    recorder = owner._recorder  # noqa: SLF001  # every guarded class has one
    try:
        if is_misuse(error):
            recorder.misused(f"{method.__qualname__}: {error}")
        else:
            recorder.failed(error)
    except (MemoryError, RecursionError):
        recorder.errors += 1


def is_misuse(error: Exception) -> bool:
    """Whether a TypeError says that a function was called with arguments that it does not take.

    Such an error is raised by the call itself: no frame stands below the caller's.
    """
    trace = error.__traceback__
    return isinstance(error, TypeError) and (trace is None or trace.tb_next is None)


def _is_foreign_safely(error: Exception) -> bool:
    try:
        return is_foreign(error)
    except (MemoryError, RecursionError):
        return False


def is_foreign(error: BaseException) -> bool:
    """Whether an exception that came out of our code was raised from outside, not by a failure.

    By a signal handler, or into this very thread as timeouts of threads do: then there is no
    frame of theirs, but a type of theirs.
    """
    if is_interrupt(error):
        return True
    if type(error).__module__.partition(".")[0] in _TRUSTED_TYPES:
        return False
    frames = list(_frames(error.__traceback__))
    return bool(frames) and _is_known(frames[-1])


def is_interrupt(error: BaseException) -> bool:
    """Whether a signal handler raised the exception.

    What the host's own code raises where we call it, such as the `__repr__` of a payload, is ours
    to deal with; what interrupts us is not. A handler is known by its arguments, a signal number
    and a frame: it may have been replaced by now.
    """
    return any(_is_handler(frame) for frame in _frames(error.__traceback__))


def _frames(trace: Optional[TracebackType]) -> Any:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _is_handler(frame: FrameType) -> bool:
    if _is_known(frame):
        return False
    code, local = frame.f_code, frame.f_locals
    values = [local.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & _VARARGS:
        rest = local.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        values += rest if isinstance(rest, tuple) else ()
    pairs = zip(values, values[1:])
    return any(isinstance(one, int) and isinstance(two, FrameType) for one, two in pairs)


def _is_known(frame: FrameType) -> bool:
    """Whether a frame is of our code or the standard library's."""
    if str(frame.f_globals.get("__name__", "")).partition(".")[0] in _OUR_MODULES:
        return True
    file = frame.f_code.co_filename
    return file.startswith(("<frozen", _STANDARD_LIBRARY)) and "-packages" not in file
