"""A right queue in a few lines, and the ways in which it can be made wrong: what the judges of histories are tried on.

Clients with a seed of their own ask it at made-up moments; each call takes effect between its beginning and its end.
"""

import heapq
import itertools
import random

from history import NEVER, History, Queue, Receive, Received, Send, Settle

LEASE = 3
MOST = 3

# A fault by its name, and the rules that it may break.
FAULTS = {
    "loses a message": {"lost"},
    "forgets a delete": {"undeleted"},
    "forgets a lease": {"repeated", "unorderable"},
    "forgets a count": {"miscounted"},
    "counts twice": {"uncounted"},
    "hands out a message that nobody sent": {"invented"},
    "changes a body": {"changed"},
    "ignores a delay": {"early"},
    "never gives up": {"revived"},
    "keeps a dead letter": {"revived", "miscounted"},
    "forgets a duplicate": {"doubled"},
    "hands out the last first": {"disordered", "unorderable"},
    "does not lock a group": {"disordered", "unorderable"},
    "numbers at random": {"misnumbered", "unorderable"},
}
STANDARD_ONLY = {"ignores a delay"}
FIFO_ONLY = {"forgets a duplicate", "hands out the last first", "does not lock a group", "numbers at random"}


class Message:
    def __init__(self, send, id, number):
        self.body, self.group, self.id, self.number = send.body, send.group, id, number
        self.count, self.until, self.queue = 0, 0.0, send.queue


class Toy:
    """Two queues, one of them for the other's dead letters; sometimes wrong if it has a fault."""

    def __init__(self, chance, fifo, fault=None):
        self.chance, self.fifo, self.fault = chance, fifo, fault
        self.messages, self.known, self.ids = [], {}, itertools.count(1)

    def fails(self, fault, often=0.3):
        return self.fault == fault and self.chance.random() < often

    def send(self, send, now):
        if self.fifo and send.body in self.known and not self.fails("forgets a duplicate"):
            return self.known[send.body]
        number = next(self.ids)
        if self.fault == "numbers at random":
            number = self.chance.randrange(10**9)
        message = Message(send, f"id{number}", number if self.fifo else None)
        message.until = 0.0 if self.fault == "ignores a delay" else now + send.delay
        if not self.fails("loses a message"):
            self.messages.append(message)
        self.known[send.body] = message.id, message.number
        return self.known[send.body]

    def receive(self, receive, now):
        taken, locked = [], set()
        messages = list(reversed(self.messages)) if self.fails("hands out the last first") else list(self.messages)
        for message in messages:
            if message.queue != receive.queue or len(taken) == 4:
                continue
            free = message.until <= now or self.fails("forgets a lease")
            if message.group in locked or not free:
                if self.fifo and self.fault != "does not lock a group":
                    locked.add(message.group)
                continue
            if message.queue == "source" and message.count >= MOST and self.fault != "never gives up":
                message.queue, message.number = "dead", message.number and next(self.ids)
                if self.fails("keeps a dead letter"):
                    copy = Message(message, message.id, message.number)
                    copy.queue = "source"
                    self.messages.append(copy)
                continue
            message.count += 0 if self.fails("forgets a count") else 2 if self.fails("counts twice") else 1
            message.until = now + receive.lease
            flaw = "another body" if self.fails("changes a body") else None
            body = "nobody's" if self.fails("hands out a message that nobody sent") else message.body
            taken.append(Received(receive, body, message.id, message.count, message.group, message.number, flaw))
        return taken

    def settle(self, settle, now):
        """Whether there was something to settle."""
        for message in self.messages:
            if message.id == settle.message.id and message.queue == settle.message.by.queue:
                if self.fifo and (message.count != settle.message.count or message.until <= now):
                    return False
                if settle.timeout is not None:
                    message.until = now + settle.timeout
                elif not self.fails("forgets a delete"):
                    self.messages.remove(message)
                return True
        return settle.timeout is None


def play(seed, fifo, fault=None, clients=4, calls=12, groups=2):
    """A history of clients with a toy, the last of which drains it."""
    chance = random.Random(f"{seed} {fifo} {fault}")
    toy = Toy(chance, fifo, fault)
    history = History(Queue("source", fifo, most=MOST, dead="dead"), Queue("dead", fifo))
    bodies = itertools.count()
    # Moments at which clients go on, and what they do.
    agenda, turns = [], itertools.count()

    def at(moment, action):
        heapq.heappush(agenda, (moment, next(turns), action))

    def call(operation, effect, then):
        """Lets a call take effect in its time; some are never answered, and some of those do nothing."""
        answered = chance.random() < 0.95
        begin, middle = operation.start, operation.start + chance.random()

        def happen(now):
            result = effect(operation, now)
            end = now + chance.random()
            if answered:
                at(end, lambda now: then(operation, result, now))
            else:
                at(end, lambda now: then(None, None, now))

        if answered or chance.random() < 0.5:
            at(middle, happen)
        else:
            at(begin + 1, lambda now: then(None, None, now))

    def client(left, held, sent):
        def sending(operation, result, now):
            if operation:
                (operation.id, operation.number), operation.end = result, now
            go_on(now)

        def receiving(operation, result, now):
            if operation:
                operation.messages, operation.end = result, now
                held.extend(result)
            go_on(now)

        def settling(operation, result, now):
            if operation and result:
                operation.end = now
            elif operation:
                history.settles.remove(operation)
            go_on(now)

        def go_on(now):
            nonlocal left
            left -= 1
            if left < 0:
                return
            now += chance.random() * 2
            draw = chance.random()
            if held and draw < 0.5:
                message = held.pop(chance.randrange(len(held)))
                timeout = None if chance.random() < 0.6 else chance.choice([0, 1, 5])
                settle = Settle(now, message, timeout)
                history.settles.append(settle)
                call(settle, toy.settle, settling)
            elif draw < 0.7:
                again = sent and fifo and chance.random() < 0.3
                body, group = chance.choice(sent) if again else (f"m{next(bodies)}", f"g{chance.randrange(groups)}")
                sent.append((body, group))
                delay = 0 if fifo else chance.choice([0, 0, 4])
                send = Send(now, "source", body, group if fifo else None, delay, call=next(turns))
                history.sends.append(send)
                call(send, toy.send, sending)
            else:
                receive = Receive(now, chance.choice(["source", "source", "dead"]), LEASE)
                history.receives.append(receive)
                call(receive, toy.receive, receiving)

        go_on(chance.random())

    def run():
        while agenda:
            now, _, action = heapq.heappop(agenda)
            action(now)
        return now

    for _ in range(clients):
        client(calls, [], [])
    history.drained = now = run() + 100
    for queue in history.queues:
        while True:
            receive = Receive(now, queue, 1000, end=now + 1)
            receive.messages = toy.receive(receive, now + 0.5)
            history.receives.append(receive)
            waiting = any(m.queue == queue and m.until <= now + 1 for m in toy.messages)
            for message in receive.messages if fifo else []:
                settle = Settle(now + 1, message, end=now + 2)
                if toy.settle(settle, now + 1.5):
                    history.settles.append(settle)
            now += 3
            if not receive.messages and not waiting or now > history.drained + 1000:
                break
    return history
