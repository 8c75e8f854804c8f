"""An asyncio agent: model calls and tool calls as spans, several at once.

`answer` stands for any model client: it streams words. The usage is what the provider reports.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from telemetry_core import TelemetryClient, span, tool

client = TelemetryClient()


async def answer(question: str) -> AsyncIterator[str]:
    """Stream an answer, as a provider's client does."""
    for word in f"About {question}: it depends".split():
        await asyncio.sleep(0)
        yield word


@tool
async def search(query: str) -> list[str]:
    """Pretend to search; the decorator records a tool call."""
    await asyncio.sleep(0)
    return [f"a page about {query}"]


@span(kind="agent")
async def research(question: str) -> str:
    """Search, then ask the model."""
    from telemetry_core import current_run

    pages = await search(question)
    run = current_run()
    if run is None:
        return pages[0]
    async with run.llm_call("example-model", provider="example") as call:
        words = [word async for word in call.stream(answer(question))]
        call.usage(input_tokens=120, cache_read_tokens=1_000, output_tokens=len(words))
    return " ".join(words)


async def main() -> None:
    """Answer three questions at the same time."""
    async with client.track_run("researcher", "questions", trigger_type="cli") as run:
        questions = ["rain", "snow", "hail"]
        for text in await asyncio.gather(*map(research, questions)):
            run.add(items_succeeded=1)
            print(text)


if __name__ == "__main__":
    asyncio.run(main())
