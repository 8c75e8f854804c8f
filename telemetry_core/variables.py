"""Read environment variables as what they mean, and note what makes no sense.

Called by the configuration. It raises nothing: what makes no sense gives the default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Optional

from telemetry_core.settings import CHOICE, FLAG, NUMBER, Setting

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


class Variables:
    """The variables of one environment; an empty one counts as one that is not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.refused: list[str] = []
        """What made no sense, in words, and what is taken instead."""

    def value(self, setting: Setting) -> Any:
        """Return what a variable is set to, as its setting's kind of value, or the default."""
        if setting.kind == FLAG:
            return self.flag(setting.variable, bool(setting.default))
        if setting.kind == NUMBER:
            return max(setting.least, self.number(setting.variable, float(setting.default or 0)))
        text = self.text(setting.variable)
        if setting.kind == CHOICE and text is not None:
            return self._choice(text, setting.choices)
        return setting.default if text is None else text

    @staticmethod
    def _choice(text: str, choices: tuple[str, ...]) -> str:
        """Return a choice as it is spelled; what is none of them is kept, for `validate`."""
        spelled = {choice.lower(): choice for choice in choices}
        return spelled.get(text.strip().lower(), text)

    def text(self, name: str) -> Optional[str]:
        """Return a variable as it stands, None if it is not set."""
        return self._environ.get(name) or None

    def flag(self, name: str, default: bool) -> bool:
        """Return a variable as true or false; what is neither is false."""
        text = self.text(name)
        if text is None:
            return default
        word = text.strip().lower()
        if word not in _TRUE + _FALSE:
            self.refused.append(f"{name} is {text!r}, which counts as false: use true or false")
        return word in _TRUE

    def number(self, name: str, default: float) -> float:
        """Return a variable as a finite number that is not negative."""
        text = self.text(name)
        try:
            number = default if text is None else float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and number >= 0:
            return number
        self.refused.append(
            f"{name} is {text!r}, which is no number from 0 up: {default:g} is used"
        )
        return default
