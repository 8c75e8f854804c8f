"""An agent with a model and tools, as you might write it; the model and the tools are made up.

`telemetry demo` starts two of them, each in a process of its own. Nothing here asks a network:
what the model says, and how many tokens that took, is in this file.

By hand: python researcher.py my-agent
"""

from __future__ import annotations

import sys
import time

from telemetry_core import RunContext, TelemetryClient

client = TelemetryClient()

QUESTIONS = (
    "Which releases of the last year were yanked?",
    "Who maintains the packages that everything depends on?",
    "Which licences are in use, and where do they clash?",
)
SEARCHES = 5
_SECONDS = 0.02
_STUCK_SECONDS = 60.0


def main(agent: str, is_stuck: bool) -> None:
    """Answer every question: plan, search, read, summarize. One of the agents gets stuck."""
    with client.track_run(
        agent, "research", "demo", items_discovered=len(QUESTIONS), input_summary=QUESTIONS[0]
    ) as run:
        for number, question in enumerate(QUESTIONS):
            with run.span("answer", kind="agent", question=question):
                think(run, "claude-sonnet-4-5", "anthropic", 900 + 400 * number)
                with run.span("gather"):
                    search(run, question)
                    if is_stuck and number == 1:
                        wait_for_ever(run)
                think(run, "gpt-5-mini", "openai", 2_600)
            run.add(items_succeeded=1)
            run.log_metrics({"confidence": 1 - 0.5 ** (number + 1)}, step=number)
        run.end("success")


def think(run: RunContext, model: str, provider: str, tokens: int) -> None:
    """Ask the made-up model; most of what it reads, it has read before."""
    with run.llm_call(model, provider=provider) as call:
        time.sleep(_SECONDS)
        call.first_token()
        time.sleep(_SECONDS)
        call.usage(
            input_tokens=tokens // 4,
            cache_read_tokens=tokens - tokens // 4,
            output_tokens=120 + tokens // 20,
        )


def search(run: RunContext, question: str) -> None:
    """Use the made-up tools; one of them fails now and then."""
    for page in range(SEARCHES):
        with run.tool_call("search", arguments={"query": question, "page": page}) as tool:
            time.sleep(_SECONDS / 4)
            tool.result({"hits": 10 - page})
    try:
        with run.tool_call("fetch", arguments={"url": "https://example.org/"}):
            fetch(question)
    except TimeoutError:
        # The span has the error; the agent goes on without the page.
        pass


def fetch(question: str) -> None:
    """Take some time, and fail for one of the questions."""
    time.sleep(_SECONDS)
    if question == QUESTIONS[0]:
        raise TimeoutError("no answer after 20 ms")


def wait_for_ever(run: RunContext) -> None:
    """Call a tool that does not come back; what it reports meanwhile is recorded."""
    with run.tool_call("crawl", arguments={"depth": 3}):
        until = time.monotonic() + _STUCK_SECONDS
        while time.monotonic() < until:
            run.log_event("crawl.waiting", {"pages": 0})
            time.sleep(0.2)


if __name__ == "__main__":
    try:
        main(sys.argv[1], "--stuck" in sys.argv)
    except KeyboardInterrupt:
        sys.exit(130)
