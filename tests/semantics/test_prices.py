"""Prices: overrides before price data, every bucket at its own price, NULL for the unknown."""

from __future__ import annotations

from typing import Any

import pytest

from indexer.semantics import prices
from indexer.semantics.facts import Usage
from indexer.semantics.prices import Price, PriceBook, installed_version

USAGE = Usage(1_000_000, 2_000_000, 3_000_000, 4_000_000, None, 1_000_000)
NOW = "2026-01-01T00:00:00.000000Z"


def test_each_bucket_has_its_own_price() -> None:
    """What is not given costs as much as what it is a kind of."""
    full = Price(input=1, output=10, cache_read=0.1, cache_write=2, cache_write_1h=3)
    assert full.cost(USAGE) == pytest.approx(1 + 0.2 + 2 * 2 + 3 + 40)
    assert Price(input=1, output=10).cost(USAGE) == pytest.approx(1 + 2 + 3 + 40)
    assert Price(input=1, output=1, cache_write=2).cost(USAGE) == pytest.approx(1 + 2 + 6 + 4)
    assert Price(input=1).cost(Usage(None, None, None, 5)) == 0


def test_the_name_itself_goes_before_the_longest_beginning() -> None:
    """A name that ends in a star is for all models that begin so."""
    book = PriceBook("v", {"m*": Price(input=1), "m-large*": Price(input=2), "m-x": Price(input=3)})
    usage = Usage(1_000_000)
    costs = [book.estimate(name, None, usage, NOW) for name in ("m-1", "m-large-2", "m-x", "n")]
    assert costs == [1, 2, 3, None]


@pytest.fixture
def data() -> PriceBook:
    """The price data that is installed."""
    pytest.importorskip("genai_prices")
    return PriceBook("v", {}, has_package=True)


def test_the_price_data_counts_cached_tokens_once(data: PriceBook) -> None:
    """Claude Sonnet 4.5: 3, 0.30, 3.75 and 15 dollars; 6 for what is kept for an hour."""
    usage = Usage(10_000, 20_000, 30_000, 1_000)
    dollars = data.estimate("claude-sonnet-4-5", "anthropic", usage, NOW)
    assert dollars == pytest.approx(0.03 + 0.006 + 0.1125 + 0.015)
    hour = usage._replace(cache_write_1h_tokens=30_000)
    dollars = data.estimate("claude-sonnet-4-5", "anthropic", hour, NOW)
    assert dollars == pytest.approx(0.03 + 0.006 + 0.18 + 0.015)


def test_a_model_that_nobody_knows_has_no_price(data: PriceBook) -> None:
    """NULL, never 0; and a provider that nobody knows does not hide a known model."""
    assert data.estimate("no-such-model-9", "openai", Usage(5), NOW) is None
    assert data.estimate("claude-sonnet-4-5", "a-proxy", Usage(5), NOW) == pytest.approx(15e-6)


def test_whatever_the_price_data_raises_is_no_price(
    data: PriceBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass must not stop for it."""

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(prices, "_package_price", broken)
    assert data.estimate("claude-sonnet-4-5", None, Usage(5), NOW) is None


def test_the_version_is_told_without_importing_the_package() -> None:
    """It is in the name of the package's metadata."""
    pytest.importorskip("genai_prices")
    from importlib.metadata import version

    assert installed_version() == version("genai-prices")
