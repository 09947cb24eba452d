"""A right queue in a few lines, and the ways in which it can be made wrong: what the judges of histories are tried on.

Clients with a seed of their own ask it at made-up moments; each call takes effect between its beginning and its end.
"""

import heapq
import itertools
import random

from history import History, Queue, Receive, Received, Send, Settle

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
                # An older handle's delete may do nothing.
                if settle.timeout is None and message.count != settle.message.count and self.chance.random() < 0.5:
                    return True
                if settle.timeout is not None:
                    message.until = now + settle.timeout
                elif not self.fails("forgets a delete"):
                    self.messages.remove(message)
                return True
        return settle.timeout is None


def play(seed, fifo, fault=None, clients=4):
    """A history of clients with a toy, whose queues are drained at the end."""
    return Play(random.Random(f"{seed} {fifo} {fault}"), fifo, fault).run(clients)


class Play:
    """Clients, what they do at which moment, and what they see."""

    def __init__(self, chance, fifo, fault):
        self.chance, self.fifo, self.toy = chance, fifo, Toy(chance, fifo, fault)
        self.history = History(Queue("source", fifo, most=MOST, dead="dead"), Queue("dead", fifo))
        self.bodies, self.turns = itertools.count(), itertools.count()
        # Moments, in which order they were entered, and what happens then.
        self.agenda = []

    def at(self, moment, action):
        heapq.heappush(self.agenda, (moment, next(self.turns), action))

    def run(self, clients):
        for _ in range(clients):
            Client(self).go_on(self.chance.random())
        now = 0
        while self.agenda:
            now, _, action = heapq.heappop(self.agenda)
            action(now)
        self.drain(now + 100)
        return self.history

    def call(self, operation, effect, then):
        """Lets a call take effect in its time. Some are never answered, and some of those have no effect."""
        chance, start = self.chance, operation.start
        answered = chance.random() < 0.95

        def happen(now):
            answer = (operation, effect(operation, now)) if answered else (None, None)
            self.at(now + chance.random(), lambda end: then(*answer, end))

        if answered or chance.random() < 0.5:
            self.at(start + chance.random(), happen)
        else:
            self.at(start + 1, lambda end: then(None, None, end))

    def drain(self, now):
        self.history.drained = now
        for queue in self.history.queues:
            got = True
            # A wrong toy might never come to an end.
            while (got or self.left(queue, now)) and now < self.history.drained + 1000:
                receive = Receive(now, queue, 1000, end=now + 1)
                got = receive.messages = self.toy.receive(receive, now + 0.5)
                self.history.receives.append(receive)
                for message in got if self.fifo else []:
                    settle = Settle(now + 1, message, end=now + 2)
                    if self.toy.settle(settle, now + 1.5):
                        self.history.settles.append(settle)
                now += 3

    def left(self, queue, now):
        return any(message.queue == queue and message.until <= now for message in self.toy.messages)


class Client:
    """Does one thing after the other."""

    def __init__(self, play, calls=12):
        self.play, self.chance, self.left = play, play.chance, calls
        self.held, self.sent = [], []

    def go_on(self, now):
        self.left -= 1
        if self.left < 0:
            return
        now += self.chance.random() * 2
        draw = self.chance.random()
        if self.held and draw < 0.5:
            self.settle(now)
        elif draw < 0.7:
            self.send(now)
        else:
            self.receive(now)

    def settle(self, now):
        message = self.held.pop(self.chance.randrange(len(self.held)))
        timeout = None if self.chance.random() < 0.6 else self.chance.choice([0, 1, 5])
        settle = Settle(now, message, timeout)
        self.play.history.settles.append(settle)
        self.play.call(settle, self.play.toy.settle, self.settled)

    def settled(self, settle, accepted, now):
        if accepted:
            settle.end = now
        elif settle:
            self.play.history.settles.remove(settle)
        self.go_on(now)

    def send(self, now):
        fifo = self.play.fifo
        if self.sent and fifo and self.chance.random() < 0.3:
            body, group = self.chance.choice(self.sent)
        else:
            body, group = f"m{next(self.play.bodies)}", f"g{self.chance.randrange(2)}" if fifo else None
        self.sent.append((body, group))
        delay = 0 if fifo else self.chance.choice([0, 0, 4])
        send = Send(now, "source", body, group, delay, call=next(self.play.turns))
        self.play.history.sends.append(send)
        self.play.call(send, self.play.toy.send, self.was_sent)

    def was_sent(self, send, receipt, now):
        if send:
            (send.id, send.number), send.end = receipt, now
        self.go_on(now)

    def receive(self, now):
        receive = Receive(now, self.chance.choice(["source", "source", "dead"]), LEASE)
        self.play.history.receives.append(receive)
        self.play.call(receive, self.play.toy.receive, self.received)

    def received(self, receive, messages, now):
        if receive:
            receive.messages, receive.end = messages, now
            self.held.extend(messages)
        self.go_on(now)
