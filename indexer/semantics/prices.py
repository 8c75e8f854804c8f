"""Estimate what a model call cost at list price, by overrides and by genai-prices.

Pure but for loading the price data, which is an optional package and imported only when a call
is priced. A model that neither knows has no price: None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Optional

from indexer.semantics.facts import Usage
from telemetry_core.timestamp import parse_time

PACKAGE = "genai-prices"
_MODULE = "genai_prices"
_MILLION = 1_000_000
# What Anthropic asks for tokens that are kept for an hour, beyond those kept for five minutes,
# as a share of the price of input; the data knows only the latter.
_HOUR_SURCHARGE = 0.75
_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}


@dataclass(frozen=True)
class Price:
    """Somebody's own price of a model, in US dollars for a million tokens of each bucket."""

    input: float = 0.0
    output: float = 0.0
    cache_read: Optional[float] = None
    """As input, where it is not given."""
    cache_write: Optional[float] = None
    cache_write_1h: Optional[float] = None
    """As other tokens written to a cache, where it is not given."""

    def cost(self, usage: Usage) -> float:
        """Return what a call cost."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        hour = write if self.cache_write_1h is None else self.cache_write_1h
        kept = min(usage.cache_write_1h_tokens or 0, usage.cache_write_tokens or 0)
        dollars = (
            (usage.input_tokens or 0) * self.input
            + (usage.cache_read_tokens or 0) * read
            + ((usage.cache_write_tokens or 0) - kept) * write
            + kept * hour
            + (usage.output_tokens or 0) * self.output
        )
        return dollars / _MILLION


@dataclass
class PriceBook:
    """All prices that are known."""

    version: str
    """Names the data: the package's version, and a digest of the overrides."""
    overrides: Mapping[str, Price] = field(default_factory=dict)
    """By the model's name; one that ends in `*` is for all that begin so."""
    has_package: bool = False
    _unknown: set[tuple[str, Optional[str]]] = field(default_factory=set)

    def estimate(
        self, model: str, provider: Optional[str], usage: Usage, time: Optional[str]
    ) -> Optional[float]:
        """Return what a call cost at list price, in US dollars; None if no price is known."""
        own = self._override(model)
        if own is not None:
            return own.cost(usage)
        if not self.has_package or (model, provider) in self._unknown:
            return None
        known = _PROVIDERS.get(provider or "", provider)
        for choice in dict.fromkeys((known, None)):
            dollars = _list_price(model, choice, usage, time)
            if dollars is not None:
                return dollars
        self._unknown.add((model, provider))
        return None

    def _override(self, model: str) -> Optional[Price]:
        if model in self.overrides:
            return self.overrides[model]
        fitting = [n for n in self.overrides if n.endswith("*") and model.startswith(n[:-1])]
        return self.overrides[max(fitting, key=len)] if fitting else None


def installed_version() -> Optional[str]:
    """Return the version of the price data that is installed, without importing it."""
    spec = find_spec(_MODULE)
    if spec is None or spec.origin is None:
        return None
    # The metadata's own reader takes longer to import than a command that reads may take.
    folders = Path(spec.origin).parent.parent.glob(f"{_MODULE}-*.dist-info")
    return next((path.name[len(_MODULE) + 1 : -len(".dist-info")] for path in folders), "unknown")


def _list_price(
    model: str, provider: Optional[str], usage: Usage, time: Optional[str]
) -> Optional[float]:
    try:
        dollars, seller = _package_price(model, provider, _inclusive(usage), time)
        if usage.cache_write_1h_tokens and seller == "anthropic":
            hour = {"input_tokens": usage.cache_write_1h_tokens}
            more, _ = _package_price(model, provider, hour, time)
            dollars += more * _HOUR_SURCHARGE
    except Exception:
        # It raises LookupError for what it does not know; whatever else goes wrong in somebody
        # else's data must not stop a pass.
        return None
    return dollars


def _package_price(
    model: str, provider: Optional[str], tokens: dict[str, int], time: Optional[str]
) -> tuple[float, str]:
    """Return the price in US dollars, and who asks for it. Without a time it is today's."""
    # Imported here: the import takes longer than a whole command, and only priced calls need it.
    import genai_prices

    price = genai_prices.calc_price(
        genai_prices.Usage(**tokens),
        model_ref=model,
        provider_id=provider,
        genai_request_timestamp=parse_time(time) if time else None,
    )
    return float(price.total_price), price.provider.id


def _inclusive(usage: Usage) -> dict[str, int]:
    """The package counts what was read from caches and written to them as input as well."""
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    return {
        "input_tokens": (usage.input_tokens or 0) + read + write,
        "cache_read_tokens": read,
        "cache_write_tokens": write,
        "output_tokens": usage.output_tokens or 0,
    }
