"""What clients saw of queues, and whether queues that keep their promises could have shown it.

A history is a list of operations with the moments at which they began and were answered, so each took effect somewhere
between; one whose end is `NEVER` got no answer, and took effect at any time after its beginning or not at all. `judge`
looks for what no right queue could have done. It does no I/O and knows no server.

What is demanded of every queue is AWS's promise (at least once, nothing after its deletion, attributes as sent), and two
things that AWS promises for FIFO queues alone and Kew for all: no message is handed out again while its visibility timeout
runs, and receive counts are exact.
"""

import bisect
import collections
import dataclasses
import itertools
import math

NEVER = math.inf
# The server's clock is read in milliseconds, and is not the clients' clock.
SLACK = 0.05
# For so long a deduplication id is known.
REMEMBERED = 300
# Messages that one receive takes at most.
MOST_AT_ONCE = 10


@dataclasses.dataclass(frozen=True)
class Queue:
    name: str
    fifo: bool = False
    # After so many receives a message moves to the queue `dead`.
    most: int | None = None
    dead: str | None = None


# Operations are told apart by what they are, not by what they say.
operation = dataclasses.dataclass(slots=True, eq=False)


@operation
class Send:
    """One message of a call; the bodies of messages differ. A FIFO queue's deduplication id is the body."""

    start: float
    queue: str
    body: str
    group: str | None = None
    delay: float = 0
    # Messages of one call are sent in the order of their places.
    call: int = 0
    place: int = 0
    end: float = NEVER
    id: str | None = None
    number: int | None = None

    def __str__(self):
        group = f" in {self.group}" if self.group else ""
        answer = f": {self.id} {self.number or ''}" if self.id else ""
        return f"send {self.body} to {self.queue}{group}{answer}"


@operation
class Receive:
    start: float
    queue: str
    lease: float
    end: float = NEVER
    messages: list = dataclasses.field(default_factory=list)
    # How long it waits for messages at most.
    wait: float = 0

    def __str__(self):
        return self.show({message.body for message in self.messages})

    def show(self, bodies):
        """In words, with these messages by name."""
        messages = [f"{m.body} (receive {m.count})" for m in self.messages if m.body in bodies]
        if left := len(self.messages) - len(messages):
            messages.append(f"{left} more")
        return f"receive from {self.queue} for {self.lease} s: {', '.join(messages) or 'nothing'}"


@operation
class Received:
    """A message as a receive gave it."""

    by: Receive
    body: str
    id: str
    count: int
    group: str | None = None
    number: int | None = None
    # What was not as it was sent, if anything.
    flaw: str | None = None


@operation
class Settle:
    """A delete, or with a timeout a change of visibility, with the handle of one receive."""

    start: float
    message: Received
    timeout: float | None = None
    end: float = NEVER

    def __str__(self):
        what = "delete" if self.timeout is None else f"change to {self.timeout} s"
        return f"{what} {self.message.body} of receive {self.message.count}"


class Violation:
    """A rule that was broken, and the operations that show it."""

    def __init__(self, rule, text, operations):
        self.rule, self.text = rule, text
        self.operations = sorted(operations, key=lambda operation: operation.start)

    def __str__(self):
        lines = [f"{self.rule}: {self.text}"]
        told = {operation.body for operation in self.operations if isinstance(operation, Send)}
        for operation in self.operations:
            end = "  no answer" if operation.end == NEVER else f"{operation.end:11.4f}"
            text = operation.show(told) if told and isinstance(operation, Receive) else operation
            lines.append(f"  {operation.start:11.4f} {end}  {text}")
        return "\n".join(lines)

    __repr__ = __str__


class History:
    """Operations as they happened, in several queues."""

    def __init__(self, *queues):
        self.queues = {queue.name: queue for queue in queues}
        self.sends, self.receives, self.settles = [], [], []
        # From here on everything that was left was received until nothing came.
        self.drained = None

    def operations(self):
        return itertools.chain(self.sends, self.receives, self.settles)

    def lives(self):
        """The operations of each message."""
        lives = {}
        for send in self.sends:
            lives.setdefault(send.body, Life(send.body)).sends.append(send)
        for receive in self.receives:
            for message in receive.messages:
                lives.setdefault(message.body, Life(message.body)).receives.append(message)
        for settle in self.settles:
            lives[settle.message.body].settles.append(settle)
        for life in lives.values():
            life.receives.sort(key=lambda message: message.count)
            life.sends.sort(key=lambda send: send.start)
        return lives

    def groups(self, lives):
        """The messages of each group of the FIFO queues that were sent to, in the order of their numbers."""
        groups = collections.defaultdict(list)
        for life in lives.values():
            if life.sends and self.queues[life.sends[0].queue].fifo and life.number(life.sends[0].queue) is not None:
                groups[life.sends[0].queue, life.sends[0].group].append(life)
        for (queue, _), members in groups.items():
            members.sort(key=lambda life: life.number(queue))
        return groups


class Life:
    """All that happened to one message."""

    def __init__(self, body):
        self.body = body
        self.sends, self.receives, self.settles = [], [], []

    def operations(self):
        return {*self.sends, *(message.by for message in self.receives), *self.settles}

    def violation(self, rule, text, operations=None):
        return Violation(rule, f"{self.body} {text}", operations or self.operations())

    def deletes(self):
        return [settle for settle in self.settles if settle.timeout is None]

    def receives_from(self, queue):
        return [message for message in self.receives if message.by.queue == queue]

    def number(self, queue):
        """Its sequence number in a queue, as far as anybody was told."""
        told = [send.number for send in self.sends if send.queue == queue]
        told += [message.number for message in self.receives_from(queue)]
        return next((number for number in told if number is not None), None)

    def there_by(self):
        """The moment by which it was in its queue for certain."""
        return min([s.end for s in self.sends] + [m.by.end for m in self.receives], default=NEVER)

    def gone_from(self):
        """The moment from which it may have been out of the queue that it was sent to."""
        gone = [delete.start for delete in self.deletes()]
        here = self.receives_from(self.sends[0].queue)
        if len(here) < len(self.receives):
            # It was moved, after its last receive here.
            gone.append(max((m.by.start for m in here), default=self.sends[0].start))
        return min(gone, default=NEVER)


def judge(history):
    """All that no right queue could have done."""
    lives = history.lives()
    found = []
    for life in lives.values():
        for rule in (invented, changed, doubled, undeleted, early, miscounted, repeated, revived):
            found += rule(history, life)
        if history.drained is not None:
            found += lost(history, life)
    for (queue, _), members in history.groups(lives).items():
        found += misnumbered(queue, members)
        found += disordered(queue, members)
    return found + shared(history, lives) + uncounted(history, lives)


# Rules about one message.


def invented(_, life):
    """Nothing is received that was not sent before."""
    first = min((send.start for send in life.sends), default=NEVER)
    for message in life.receives:
        if message.by.end < first:
            yield life.violation("invented", "was received and not sent", [*life.sends, message.by])


def changed(_, life):
    """A message is received as it was sent."""
    for message in life.receives:
        if message.flaw:
            yield life.violation("changed", f"came with {message.flaw}", [*life.sends, message.by])
        if life.sends and message.group != life.sends[0].group:
            yield life.violation("changed", f"came in group {message.group}", [*life.sends, message.by])


def doubled(_, life):
    """One message has one id and number, also if it was sent again within the time in which duplicates are known."""
    answered = [send for send in life.sends if send.id is not None]
    ids = {send.id for send in answered} | {message.id for message in life.receives}
    queue = life.sends[0].queue if life.sends else None
    numbers = {send.number for send in answered} | {message.number for message in life.receives_from(queue)}
    ends = [send.end for send in life.sends if send.end != NEVER]
    span = max(ends, default=0) - min((send.start for send in life.sends), default=0)
    if max(len(ids), len(numbers)) > 1 and span < REMEMBERED - SLACK:
        yield life.violation("doubled", f"is more than one message: {sorted(ids)} {sorted(numbers)}")


def lost(history, life):
    """What was sent and not deleted is there at the end."""
    if life.there_by() == NEVER or life.deletes():
        return
    if not any(message.by.start >= history.drained for message in life.receives):
        yield life.violation("lost", "was acknowledged and not deleted, and is not there at the end")


def undeleted(history, life):
    """Nothing is received after its deletion was acknowledged."""
    unanswered = [receive for receive in history.receives if receive.end == NEVER]
    counts = {message.count for message in life.receives}
    for delete in life.deletes():
        handle = delete.message
        # AWS leaves open what an older handle's delete does. A newer one may be of a receive that nobody was answered.
        newer = any(message.count > handle.count and message.by.start < delete.end for message in life.receives)
        unseen = ended(life, delete) and handle.count + 1 not in counts
        if delete.end == NEVER or newer or unseen or returned(unanswered, life, delete):
            continue
        for message in life.receives:
            # Moved to the dead letters before, it was not there to be deleted.
            moved = ended(life, delete) and message.by.queue != handle.by.queue
            if message.by.start > delete.end and not moved:
                shown = [*life.sends, handle.by, delete, message.by]
                yield life.violation("undeleted", "was deleted and came again", shown)


def returned(unanswered, life, delete):
    """Whether a newer receive may have held the message at a delete, and have been taken back, its count too, as its caller was gone."""
    taken = delete.message.by
    return ended(life, delete) and any(
        receive.queue == taken.queue
        and taken.start < receive.start < delete.end
        and delete.start < receive.start + receive.wait + receive.lease + SLACK
        for receive in unanswered
    )


def ended(life, delete):
    """Whether the visibility timeout may have been over before a delete."""
    until = delete.message.by.start + delete.message.by.lease
    changed = any(settle.timeout is not None and settle.start < delete.end for settle in life.settles)
    return delete.end > until - SLACK or changed


def early(_, life):
    """A delayed message is not received before its time."""
    due = min((send.start + send.delay for send in life.sends), default=0)
    for message in life.receives:
        if message.by.end + SLACK < due:
            yield life.violation("early", "was received before its delay was over", [*life.sends, message.by])


def miscounted(_, life):
    """Each receive of a message has a higher count than the one before."""
    for one, two in itertools.pairwise(life.receives):
        if one.count == two.count or two.by.end < one.by.start:
            yield life.violation("miscounted", "has a count that does not rise", [*life.sends, one.by, two.by])


def repeated(_, life):
    """No message is handed out while it is certain that its visibility timeout runs."""
    changes = [settle for settle in life.settles if settle.timeout is not None]
    for one, two in itertools.pairwise(life.receives):
        # What may have set the timeout that counted when the message was handed out again.
        steps = [(one.by.start, one.by.end, one.by.lease)]
        steps += [(change.start, change.end, change.timeout) for change in changes if change.start <= two.by.end]
        latest = max((start for start, end, _ in steps if end < two.by.start), default=-NEVER)
        hidden = min(start + timeout for start, end, timeout in steps if end >= latest)
        if two.by.end + SLACK < hidden and one.by.queue == two.by.queue:
            shown = [*life.sends, one.by, *changes, two.by]
            yield life.violation("repeated", "was handed out while it was hidden", shown)


def revived(history, life):
    """A message moves to the dead letters after its last receive, and does not come back."""
    sources = {queue.dead: queue for queue in history.queues.values() if queue.dead}
    for message in life.receives:
        queue, source = history.queues[message.by.queue], sources.get(message.by.queue)
        if queue.most is not None and message.count > queue.most:
            yield life.violation("revived", f"was received more than {queue.most} times")
        if source and message.count <= source.most:
            yield life.violation("revived", "was moved too soon")
        for other in life.receives_from(source.name) if source else ():
            if other.by.start > message.by.end:
                yield life.violation("revived", "is in two places", [*life.sends, other.by, message.by])


# Rules about the messages of one group of a FIFO queue, in the order of their numbers.


def misnumbered(queue, members):
    """A message sent after another was there has a higher number."""
    latest = None
    for life in members:
        if latest and life.there_by() < latest.sends[0].start:
            operations = [*life.sends, *latest.sends]
            yield life.violation("misnumbered", f"was there before {latest.body} and has a higher number", operations)
        if not latest or life.sends[0].start > latest.sends[0].start:
            latest = life
    calls = collections.defaultdict(list)
    for life in members:
        if len(life.sends) == 1:
            calls[life.sends[0].call].append(life.sends[0])
    for sends in calls.values():
        places = [send.place for send in sends]
        if places != sorted(places):
            yield Violation("misnumbered", "one call's messages are not in its order", sends)


def disordered(queue, members):
    """A message is handed out when those before it are gone, or stand before it in the same receive."""
    places = {life.body: place for place, life in enumerate(members)}
    gone = [life.gone_from() for life in members]
    until = list(itertools.accumulate(gone, max))
    receives = {message.by for life in members for message in life.receives_from(queue)}
    for receive in receives:
        taken = [places[message.body] for message in receive.messages if message.body in places]
        if taken != sorted(taken):
            yield Violation("disordered", "a group's messages were received out of order", [receive])
            continue
        # Looked through from the group's beginning only if there is something to find.
        begin = 0 if taken[0] and until[taken[0] - 1] > receive.end else taken[0]
        for place in range(begin, taken[-1]):
            if place not in taken and gone[place] > receive.end:
                life, other = members[place], members[next(t for t in taken if t > place)]
                operations = life.operations() | {*other.sends, receive}
                text = f"was still there when {other.body}, which is behind it in its group, was handed out"
                yield life.violation("disordered", text, operations)
                break


# Rules about all messages.


def shared(history, lives):
    """No two messages share an id, or a number."""
    found, owners = [], {}
    for life in lives.values():
        keys = {("id", send.id) for send in life.sends if send.id} | {("id", m.id) for m in life.receives}
        keys |= {(send.queue, send.number) for send in life.sends if send.number is not None}
        for key in keys:
            owner = owners.setdefault(key, life)
            if owner is not life:
                found.append(life.violation("shared", f"and {owner.body} share {key}", [*life.sends, *owner.sends]))
    return found


def uncounted(history, lives):
    """A receive that nobody was answered may have counted once; no other count is missing."""
    doubtful = sorted(receive.start for receive in history.receives if receive.end == NEVER)
    found, total = [], 0
    for life in lives.values():
        if life.receives:
            missing = life.receives[-1].count - len(life.receives)
            total += max(missing, 0)
            if missing > bisect.bisect(doubtful, life.receives[-1].by.end):
                found.append(life.violation("uncounted", f"counts {missing} receives that nobody made"))
    if total > MOST_AT_ONCE * len(doubtful):
        text = f"{total} receives were counted that nobody made; {len(doubtful)} got no answer"
        found.append(Violation("uncounted", text, []))
    return found
