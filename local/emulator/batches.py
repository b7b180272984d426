"""Batches of an event source as Lambda makes them of a queue.

MiniStack hands over at most ten messages as soon as there is one, whatever the mapping says. Lambda waits until the
batch is full or its window is over, and makes batches of more than ten where there is a window:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ministack.services import lambda_svc, sqs  # type: ignore[import-untyped]

_AT_ONCE = 10
"""What SQS gives for one request."""


def install() -> None:
    """Replace the emulator's way of taking a batch from a queue."""
    receive = sqs._receive_messages_for_esm

    def receive_batch(queue_url: str, batch_size: int) -> list[Any]:
        waits = [time.time() - moment for moment in _visible_since(queue_url)]
        if not is_due(waits, batch_size=batch_size, window=_window(queue_url)):
            return []
        batch: list[Any] = []
        while len(batch) < batch_size and (more := receive(queue_url, min(_AT_ONCE, batch_size - len(batch)))):
            batch += more
        return batch

    sqs._receive_messages_for_esm = receive_batch


def is_due(waits: Sequence[float], *, batch_size: int, window: float) -> bool:
    """Whether a batch is handed over: `waits` are for how many seconds each message could be received, below 0 for
    one that cannot yet."""
    waiting = [wait for wait in waits if wait >= 0]
    return len(waiting) >= batch_size or (bool(waiting) and max(waiting) >= window)


def _visible_since(queue_url: str) -> list[float]:
    with sqs._queues_lock:
        queue = sqs._queues.get(queue_url)
        return [] if queue is None else [message["visible_at"] for message in queue["messages"]]


def _window(queue_url: str) -> float:
    """The window of the queue's event source, in seconds."""
    name = queue_url.rsplit("/", 1)[-1]
    for _, _, mapping in lambda_svc._iter_all_esms():
        if str(mapping.get("EventSourceArn", "")).rsplit(":", 1)[-1] == name:
            return float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
    return 0.0
