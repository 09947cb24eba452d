"""The judges of histories: what they let pass, and what they must catch."""

import pytest

import order
import toy
from history import NEVER, History, Queue, Receive, Received, Send, Settle, judge

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

SEEDS = range(60)


class Story:
    """A history written by hand: every call takes effect at once, unless it is told when."""

    def __init__(self, fifo=True):
        self.history = History(Queue("q", fifo, most=3, dead="d"), Queue("d", fifo))
        self.now, self.last = 0.0, []

    def moments(self, at, end):
        self.now = self.now + 1 if at is None else at
        return self.now, self.now + 0.1 if end is None else end

    def send(self, body, number=None, at=None, end=None, id=None, group="g", **extra):
        at, end = self.moments(at, end)
        if end == NEVER:
            id = number = None
        else:
            id = id or f"id of {body}"
        send = Send(at, "q", body, group, end=end, id=id, number=number, **extra)
        self.history.sends.append(send)
        return self

    def receive(self, *bodies, at=None, end=None, lease=30, queue="q", flaw=None, drain=False):
        """Bodies, each with its receive's count, and its number if it has one."""
        at, end = self.moments(at, end)
        receive = Receive(at, queue, lease, end)
        for body, count, *number in bodies:
            receive.messages.append(Received(receive, body, f"id of {body}", count, "g", *(number or [None]), flaw))
        self.history.receives.append(receive)
        if drain:
            self.history.drained = at
        self.last = receive.messages or self.last
        return self

    def settle(self, timeout=None, at=None, end=None, which=0):
        at, end = self.moments(at, end)
        self.history.settles.append(Settle(at, self.last[which], timeout, end))
        return self

    def rules(self):
        return {violation.rule for violation in [*judge(self.history), *order.unorderable(self.history)]}


def standard():
    return Story(fifo=False)


def pair():
    """Two messages of one group."""
    return Story().send("a", 1).send("b", 2)


GOOD = {
    "sent, received, deleted": Story().send("a", 1).receive(("a", 1, 1)).settle().receive(drain=True),
    "a send without an answer that did happen": Story().send("a", end=NEVER).receive(("a", 1, 1), drain=True),
    "a send without an answer that did not": Story().send("a", end=NEVER).receive(drain=True),
    "a delete without an answer that did happen": pair().receive(("a", 1, 1)).settle(end=NEVER).receive(("b", 1, 2)),
    "a delete without an answer that did not":
        standard().send("a").receive(("a", 1), lease=1).settle(end=NEVER).receive(("a", 2), at=9),
    "a receive without an answer counts":
        standard().send("a").receive(end=NEVER).receive(("a", 2), at=60),
    "both of a group at once": pair().receive(("a", 1, 1), ("b", 1, 2)),
    "the second after the first is deleted": pair().receive(("a", 1, 1)).settle().receive(("b", 1, 2)),
    "the second while the first is being deleted":
        pair().receive(("a", 1, 1), at=3).settle(at=4, end=6).receive(("b", 1, 2), at=4.5, end=5),
    "given back and received at once": standard().send("a").receive(("a", 1)).settle(0).receive(("a", 2)),
    "extended, then shortened":
        standard().send("a").receive(("a", 1), lease=1).settle(500).settle(1).receive(("a", 2), at=6),
    "a long poll begun while the message was hidden":
        standard().send("a").receive(("a", 1), at=2, lease=5).receive(("a", 2), at=3, end=8),
    "sent again in five minutes": Story().send("a", 1).send("a", 1, at=200),
    "sent again after five minutes": Story().send("a", 1).send("a", 2, at=400, id="new"),
    "sent at the same time, in either order": Story().send("a", 2, at=1, end=3).send("b", 1, at=1, end=3),
    "moved to the dead letters, which frees the next":
        pair().receive(("a", 1, 1), lease=1).receive(("a", 2, 1), at=5, lease=1).receive(("a", 3, 1), at=9, lease=1)
        .receive(("b", 1, 2), at=12).receive(("a", 4, 7), at=20, queue="d"),
    "an older handle's delete may do nothing, though nobody saw the newer":
        standard().send("a").receive(("a", 1), at=2, lease=1).receive(at=4, end=NEVER).settle(at=5)
        .receive(("a", 3), at=50),
    "an older handle's delete may do nothing, though the newer was taken back with its count":
        standard().send("a").receive(("a", 1), at=2, lease=1).receive(at=4, end=NEVER, lease=2).settle(at=5)
        .receive(("a", 2), at=50),
    "an older handle's delete may do nothing":
        standard().send("a").receive(("a", 1), at=2, lease=1).settle(at=3, end=20).receive(("a", 2), at=5)
        .receive(("a", 3), at=50),
}

BAD = {
    "a lost message": ("lost", standard().send("a").receive(drain=True)),
    "a lost message that was seen": ("lost", standard().send("a").receive(("a", 1)).receive(at=60, drain=True)),
    "a deleted message that comes again":
        ("undeleted", standard().send("a").receive(("a", 1), lease=1).settle().receive(("a", 2), at=9)),
    "a deleted message that comes again, long after a newer receive could have held it":
        ("undeleted", standard().send("a").receive(("a", 1), at=2, lease=1).receive(at=4, end=NEVER, lease=2)
         .settle(at=10).receive(("a", 2), at=50)),
    "a deleted message that comes again, though no newer receive could have held it":
        ("undeleted", standard().send("a").receive(("a", 1), at=2).receive(at=4, end=NEVER).settle(at=5)
         .receive(("a", 2), at=50)),
    "a message that nobody sent": ("invented", standard().receive(("a", 1))),
    "a message before it was sent": ("invented", standard().send("a", at=5).receive(("a", 1), at=1)),
    "a changed message": ("changed", standard().send("a").receive(("a", 1), flaw="MD5OfBody")),
    "a message in another group": ("changed", Story().send("a", 1, group="h").receive(("a", 1, 1))),
    "handed out while it is hidden": ("repeated", standard().send("a").receive(("a", 1)).receive(("a", 2), at=20)),
    "handed out though it was extended":
        ("repeated", standard().send("a").receive(("a", 1), lease=5).settle(100).receive(("a", 2), at=50)),
    "handed out to two at once":
        ("repeated", Story().send("a", 1).receive(("a", 1, 1), at=2, end=4).receive(("a", 2, 1), at=2, end=4)),
    "a count that goes back":
        ("miscounted", standard().send("a").receive(("a", 2), lease=1).receive(("a", 1), at=9)),
    "a count that stays": ("miscounted", standard().send("a").receive(("a", 1), lease=1).receive(("a", 1), at=9)),
    "a count too high": ("uncounted", standard().send("a").receive(("a", 2))),
    "a delay that was forgotten": ("early", standard().send("a", delay=60).receive(("a", 1))),
    "one time too often":
        ("revived", standard().send("a").receive(*[("a", n) for n in (1, 2, 3)], lease=0).receive(("a", 4), at=9)),
    "a dead letter too soon": ("revived", standard().send("a").receive(("a", 1), queue="d")),
    "a dead letter that is still in its queue":
        ("revived", standard().send("a").receive(("a", 4), queue="d").receive(("a", 1), at=50)),
    "the same message twice": ("doubled", Story().send("a", 1).send("a", 2, id="another")),
    "an id of two messages": ("shared", standard().send("a", id="x").send("b", id="x")),
    "a number of two messages": ("shared", Story().send("a", 1).send("b", 1, group="h")),
    "the second before the first": ("disordered", pair().receive(("b", 1, 2))),
    "the second while the first is in flight":
        ("disordered", pair().receive(("a", 1, 1)).receive(("b", 1, 2))),
    "the wrong way round in one receive": ("disordered", pair().receive(("b", 1, 2), ("a", 1, 1))),
    "one left out in one receive":
        ("disordered", pair().send("c", 3).receive(("a", 1, 1), ("c", 1, 3))),
    "the first again after the second":
        ("disordered", pair().receive(("a", 1, 1), lease=1).receive(("b", 1, 2), at=6).receive(("a", 2, 1), at=9)),
    "a later message with a lower number": ("misnumbered", Story().send("a", 2).send("b", 1)),
    "a call's messages with numbers in another order":
        ("misnumbered", Story().send("a", 2, at=1, call=7, place=0).send("b", 1, at=1, call=7, place=1)),
}
# Each pair of operations is possible: the delete of `a` may have come before `b` was received, and after the change. But not both.
GONE = pair().receive(("a", 1, 1), at=3, end=4)
GONE.settle(at=5, end=20).settle(30, at=12, end=13).receive(("b", 1, 2), at=8, end=9)
BAD["a change when the message must have been gone"] = ("unorderable", GONE)


@pytest.mark.parametrize("story", GOOD.values(), ids=GOOD)
def test_what_a_right_queue_can_show_is_let_pass(story):
    assert story.rules() == set()


@pytest.mark.parametrize("rule, story", BAD.values(), ids=BAD)
def test_what_no_right_queue_can_show_is_caught(rule, story):
    assert rule in story.rules()


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_right_queue_is_never_accused(fifo):
    for seed in SEEDS:
        history = toy.play(seed, fifo)
        assert judge(history) + order.unorderable(history) == [], f"seed {seed}"


@pytest.mark.parametrize(
    "fault, fifo",
    [
        (fault, fifo)
        for fault in toy.FAULTS
        for fifo in (False, True)
        if fault not in (toy.STANDARD_ONLY if fifo else toy.FIFO_ONLY)
    ],
)
def test_each_way_of_being_wrong_is_caught_by_its_rule(fault, fifo):
    caught = set()
    for seed in SEEDS:
        history = toy.play(seed, fifo, fault)
        caught |= {violation.rule for violation in judge(history) + order.unorderable(history)}
    assert toy.FAULTS[fault] <= caught | (set() if fifo else {"unorderable"})


def test_a_history_without_an_order_is_shown_with_as_few_messages_as_prove_it():
    story = Story()
    for number in range(1, 20):
        story.send(f"m{number:02}", number)
    story.receive(("m07", 1, 7))
    (violation,) = order.unorderable(story.history)
    assert len([operation for operation in violation.operations if isinstance(operation, Send)]) == 2
