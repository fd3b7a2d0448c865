"""Sharded subscriptions in a Cluster: every channel at the node that has its slot, wherever that is now."""

import asyncio
from collections.abc import Callable

from server.store.cluster import Cluster, NodeOf, slot_of
from server.store.subscriber import Messages, Subscriber
from server.store.topology import Target
from server.telemetry import start_task


class ClusterSubscriber:
    """As Subscriber. `on_up` is also called when channels have moved, for messages may be lost then."""

    def __init__(
        self, cluster: Cluster, on_messages: Callable[[Messages], None], on_up: Callable[[], None]
    ) -> None:
        self._cluster, self._on_messages, self._on_up = cluster, on_messages, on_up
        self._nodes: dict[Target, Subscriber] = {}
        self._where: dict[str, Target] = {}
        self._ending: set[asyncio.Task[None]] = set()
        cluster.on_move(self._moved)

    def start(self) -> None:
        """Nodes are connected to when a channel is there."""

    async def close(self) -> None:
        """Disconnect from all."""
        nodes = list(self._nodes.values())
        self._nodes.clear()
        await asyncio.gather(*(node.close() for node in nodes), *self._ending)

    async def subscribe(self, channel: str) -> None:
        """As Subscriber.subscribe."""
        target = self._where[channel] = self._cluster.owner(slot_of(channel.encode()))
        await self._at(target).subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """As Subscriber.unsubscribe."""
        target = self._where.pop(channel, None)
        if target is not None and (node := self._nodes.get(target)) is not None:
            node.unsubscribe(channel)

    def _at(self, target: Target) -> Subscriber:
        node = self._nodes.get(target)
        if node is None:
            place = NodeOf(self._cluster, target)
            node = self._nodes[target] = Subscriber(place, self._on_messages, self._on_up)
            node.start()
        return node

    def _moved(self, _target: Target) -> None:
        for channel, before in list(self._where.items()):
            target = self._where[channel] = self._cluster.owner(slot_of(channel.encode()))
            if target != before:
                if (node := self._nodes.get(before)) is not None:
                    node.unsubscribe(channel)
                self._at(target).want(channel)
        self._on_up()
        primaries = self._cluster.primaries
        for target in [target for target in self._nodes if target not in primaries]:
            ending = start_task(self._nodes.pop(target).close(), "end subscriber")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
