"""Load the prices of a base: its own in config/prices.toml, and the installed data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, Optional

from indexer.semantics.prices import PACKAGE, Price, PriceBook, installed_version
from indexer.semantics.values import amount

_BUCKETS = tuple(field.name for field in fields(Price))


class Prices(NamedTuple):
    """The prices of a base, and what is wrong with its file of overrides."""

    book: Optional[PriceBook]
    """None where neither the price data is installed nor a price is given."""
    problems: list[str]


def overrides_path(base: Path) -> Path:
    """Return where the prices are that go before those of the price data."""
    return base / "config" / "prices.toml"


def load_prices(base: Path) -> Prices:
    """Return the prices of a base: its own, and those of the package if it is installed."""
    path = overrides_path(base)
    try:
        content = path.read_bytes()
        overrides, problems = _read_overrides(path, _parse(content))
    except FileNotFoundError:
        content, overrides, problems = b"", {}, []
    except (OSError, ValueError) as error:
        content, overrides = b"", {}
        problems = [f"{path} can't be read: {error}. Correct it, or delete it"]
    package = installed_version()
    named = [f"{PACKAGE} {package}"] if package else []
    if overrides:
        # Imported here: it loads OpenSSL, and most bases have no prices of their own.
        from hashlib import blake2b

        named.append(f"prices.toml {blake2b(content, digest_size=4).hexdigest()}")
    if not named:
        return Prices(None, problems)
    return Prices(PriceBook(" + ".join(named), overrides, package is not None), problems)


def _parse(content: bytes) -> dict[str, Any]:
    # Imported here: most bases have no such file.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    return tomllib.loads(content.decode())


def _read_overrides(path: Path, document: Mapping[str, Any]) -> tuple[dict[str, Price], list[str]]:
    overrides: dict[str, Price] = {}
    problems: list[str] = []
    models = document.get("models", {})
    for model, table in models.items() if isinstance(models, dict) else ():
        given = table if isinstance(table, dict) else {}
        numbers = {name: amount(value) for name, value in given.items()}
        if not given or not numbers.keys() <= set(_BUCKETS) or None in numbers.values():
            problems.append(
                f"{path}: [models.{model!r}] takes {', '.join(_BUCKETS)}, each in US dollars"
                " for a million tokens"
            )
        else:
            overrides[model] = Price(**{n: v for n, v in numbers.items() if v is not None})
    if document.keys() - {"models"}:
        problems.append(f'{path}: only tables as [models."NAME"] are known')
    return overrides, problems
