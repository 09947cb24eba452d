"""Fair queues: a tenant that holds too much of a standard queue does not make the others wait."""

import pytest


def send(queue, group, count, start=0):
    members = {"MessageGroupId": group} if group else {}
    for first in range(start, start + count, 10):
        queue.send_all(*[f"{group}-{n}" for n in range(first, min(first + 10, start + count))], **members)


def take(queue, count, **members):
    taken = []
    while len(taken) < count:
        taken += queue.receive(min(10, count - len(taken)), **members)
    return taken


def test_a_group_id_on_a_standard_queue_is_kept_and_shown(queue):
    queue.send("x", MessageGroupId="tenant")
    assert queue.receive_one(AttributeNames=["MessageGroupId"])["Attributes"] == {"MessageGroupId": "tenant"}


def test_a_standard_queue_s_groups_are_not_locked(queue):
    send(queue, "tenant", 20)
    assert len(queue.receive(10)) == 10
    assert len(queue.receive(10)) == 10


def test_quiet_groups_go_before_a_noisy_one(queue):
    send(queue, "noisy", 100)
    take(queue, 40)
    send(queue, "quiet", 5)
    assert sorted(queue.bodies(5)) == [f"quiet-{n}" for n in range(5)]
    assert {body.split("-")[0] for body in queue.bodies(10)} == {"noisy"}, "noisy messages are not held back"


def test_messages_without_a_group_are_each_their_own_tenant(queue):
    send(queue, "noisy", 60)
    take(queue, 35)
    queue.send_all("alone-0", "alone-1")
    assert sorted(queue.bodies(2)) == ["alone-0", "alone-1"]


def test_a_group_with_few_messages_in_flight_is_not_noisy(queue):
    send(queue, "large", 60)
    take(queue, 20)
    send(queue, "small", 1)
    assert queue.bodies(1)[0].startswith("large"), "fewer than thirty in flight: first come, first served"


def test_a_noisy_group_is_quiet_again_when_its_messages_are_deleted(queue):
    send(queue, "noisy", 60)
    held = take(queue, 40)
    queue.delete(*held)
    send(queue, "quiet", 1)
    assert queue.bodies(1)[0].startswith("noisy")


@pytest.mark.once
def test_the_quiet_group_metrics_exist(kew, queue, account):
    send(queue, "noisy", 60)
    take(queue, 40)
    send(queue, "quiet", 3)
    queue.receive(1)
    page = kew.page("/metrics")
    ours = [line for line in page.splitlines() if account in line or 'queue="queue"' in line]
    figures = "\n".join(ours).lower()
    for word in ["noisy_groups", "quiet_groups"]:
        assert word in figures, page
