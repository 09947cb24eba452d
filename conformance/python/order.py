"""Whether the operations on one group of a FIFO queue can be put into one order, as if they had come one by one.

The rules of `history` look at two or three operations at a time; this looks at all of them together. It tries the orders
that the moments allow (an operation comes after all that were answered before it began), on a model of a group: messages in
order, each there, hidden until a moment, or gone. Numbers and receive counts leave little choice, and a step that can
harm no other is done at once, so the search is short. Moments are tried as early as possible, which is no loss: everything
that waits for a moment waits for an earlier one.
"""

import collections

from history import NEVER, SLACK, Receive, Send, Settle, Violation

# Steps after which a search is given up.
PATIENCE = 200_000


class Undecided(Exception):
    """The search took too long."""


def unorderable(history):
    """The groups whose operations have no order, each with as few messages as still show it."""
    found = []
    for (queue, group), members in history.groups(history.lives()).items():
        if not orderable(history, queue, members):
            operations = set().union(*(life.operations() for life in smallest(history, queue, members)))
            found.append(Violation("unorderable", f"the operations on {group} have no order", operations))
    return found


def smallest(history, queue, members):
    """Leaves out whatever message is not needed for there to be no order."""
    for life in list(members):
        fewer = [other for other in members if other is not life]
        if not orderable(history, queue, fewer):
            members = fewer
    return members


# What happened; `messages` are places in the group with receive counts. An optional step may not have happened.
Step = collections.namedtuple("Step", "start end operation messages optional")
# `counts`: how often each message was received, -1 before it is sent; `hidden`: until when; `gone`: not there any more.
State = collections.namedtuple("State", "counts hidden gone")
IMPOSSIBLE = None, NEVER


def steps_of(queue, members):
    """What happened to these messages in this queue."""
    places = {life.body: place for place, life in enumerate(members)}
    steps = []
    for life in members:
        place = places[life.body]
        steps += [Step(s.start, s.end, s, ((place, 0),), s.end == NEVER) for s in life.sends if s.queue == queue]
        # What nobody was answered may never have happened.
        steps += [
            Step(s.start, s.end, s, ((place, s.message.count),), s.end == NEVER)
            for s in life.settles
            if s.message.by.queue == queue
        ]
    receives = {message.by for life in members for message in life.receives_from(queue)}
    for receive in receives:
        messages = tuple((places[m.body], m.count) for m in receive.messages if m.body in places)
        steps.append(Step(receive.start, receive.end, receive, messages, False))
    return sorted(steps, key=lambda step: step.start)


def orderable(history, queue, members):
    """Searches for an order."""
    steps = steps_of(queue, members)
    # Messages that were found among the dead letters, which a receive may have moved there.
    most = history.queues[queue].most
    moved = [len(life.receives_from(queue)) < len(life.receives) for life in members]
    needed = bits(number for number, step in enumerate(steps) if not step.optional)
    present, received = [], []
    for place in range(len(members)):
        there = [n for n, step in enumerate(steps) if place in places_of(step) and not isinstance(step.operation, Send)]
        # Steps that say that the message is there, and those that wait until it is not hidden.
        received.append(bits(n for n in there if isinstance(steps[n].operation, Receive)))
        present.append(bits(n for n in there if needed >> n & 1 and not deletes(steps[n])))
    size = len(members)
    # By what was done and what stands: the earliest moment at which that was so.
    seen = {}
    stack = [(0, State((-1,) * size, (0.0,) * size, (False,) * size), 0.0)]
    while stack:
        done, state, now = stack.pop()
        if done & needed == needed:
            return True
        if seen.get((done, state), NEVER) <= now:
            continue
        seen[done, state] = now
        if len(seen) > PATIENCE:
            raise Undecided(f"{len(steps)} operations on {size} messages")
        ahead = []
        for number, step in choices(steps, done):
            (place, *_) = places_of(step)
            send = isinstance(step.operation, Send)
            # Nothing waits for the moment of such a step.
            quiet = send or not isinstance(step.operation, Receive) and not received[place] & ~done
            if step.optional and quiet and not send and not deletes(step):
                continue
            after, moment = outcome(step, state, now if quiet else max(now, step.start), most, moved)
            if not after or not quiet and moment > step.end + SLACK:
                continue
            ahead.append((done | 1 << number, after, moment))
            if send or quiet and not present[place] & ~ahead[-1][0]:
                # It can only help to have done it.
                ahead = ahead[-1:]
                break
        stack += reversed(ahead)
    return False


def bits(numbers):
    return sum(1 << number for number in numbers)


def deletes(step):
    return isinstance(step.operation, Settle) and step.operation.timeout is None


def places_of(step):
    return [place for place, _ in step.messages]


def choices(steps, done):
    """The steps of which one comes next: those that began before any of the others was answered."""
    deadline, open = NEVER, []
    first = (~done & done + 1).bit_length() - 1
    for number in range(first, len(steps)):
        step = steps[number]
        if step.start > deadline:
            break
        if not done >> number & 1:
            open.append((number, step))
            deadline = min(deadline, step.end)
    return open


def outcome(step, state, now, most, moved):
    """How a group stands after a step, and from when on at the earliest; `IMPOSSIBLE` if it cannot have happened then."""
    counts, hidden, gone = map(list, state)
    operation, ((place, count), *_) = step.operation, step.messages
    if isinstance(operation, Send):
        # Numbers say in which order the messages came; sent again, one changes nothing.
        if counts[place] < 0:
            if any(other < 0 for other in counts[:place]):
                return IMPOSSIBLE
            counts[place] = 0
    elif isinstance(operation, Receive):
        taken = [place for place, _ in step.messages]
        if taken != sorted(taken):
            return IMPOSSIBLE
        for place in range(taken[-1]):
            if counts[place] >= 0 and not gone[place] and place not in taken:
                if not moved[place] or most is None:
                    return IMPOSSIBLE
                gone[place] = True
        for place, count in step.messages:
            # Counts that are missing in between are of receives that nobody was answered.
            if gone[place] or not 0 <= counts[place] < count:
                return IMPOSSIBLE
            now = max(now, hidden[place] - SLACK)
            counts[place] = count
        for place in taken:
            hidden[place] = now + operation.lease
    else:
        if gone[place]:
            # A delete succeeds again and again; a change says that the message was there.
            if operation.timeout is not None:
                return IMPOSSIBLE
        elif operation.timeout is None and moved[place]:
            # Deleted or moved, it is not here any more; an older handle's delete succeeds after the move.
            gone[place] = True
        elif counts[place] != count:
            return IMPOSSIBLE
        elif operation.timeout is None:
            gone[place] = True
        else:
            hidden[place] = now + operation.timeout
    # What lies in the past makes no difference any more.
    hidden = [0.0 if gone[place] or until <= now else until for place, until in enumerate(hidden)]
    return State(tuple(counts), tuple(hidden), tuple(gone)), now
