"""The durable tables."""

import pytest

from local.host.history import EventType, event, timer_fired
from local.host.store import Instance, InstanceFilter, Parent, Status, Store

NOW = 1000.0


def instance(instance_id: str, status: Status = Status.RUNNING, created: float = NOW) -> Instance:
    parent = Parent("parent", "e0", 3)
    return Instance(instance_id, "main", "e1", status, '"in"', None, "null", parent, created, created)


def test_an_instance_comes_back_as_it_was_put(store: Store) -> None:
    store.add_instance(instance("a"))
    assert store.instance("a") == instance("a")
    assert store.instance("b") is None


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    def write() -> None:
        with store.transaction():
            store.add_instance(instance("a"))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write()
    assert store.instance("a") is None


def test_messages_come_in_the_order_in_which_they_happened_and_timers_when_they_are_due(store: Store) -> None:
    store.set_timer("a", "e1", 0, NOW + 5, timer_fired(0, NOW + 5))
    store.post("a", event(EventType.EVENT_RAISED, NOW + 3, Name="late"), NOW + 3)
    store.post("a", event(EventType.EVENT_RAISED, NOW + 1, Name="early"), NOW + 1)
    store.post("b", event(EventType.EVENT_RAISED, NOW, Name="another's"), NOW)
    assert [m.event["Name"] for m in store.due_messages("a", NOW + 4)] == ["early", "late"]
    messages = store.due_messages("a", NOW + 5)
    assert [m.event["EventType"] for m in messages][-1] == EventType.TIMER_FIRED
    store.delete_messages(messages[:2])
    assert store.due_messages("a", NOW + 5) == messages[2:]


def test_timers_are_found_by_time_and_can_be_taken_back(store: Store) -> None:
    for task_id, due in enumerate((NOW + 1, NOW + 2, NOW + 3)):
        store.set_timer("a", "e1", task_id, due, timer_fired(task_id, due))
    assert store.next_timer(NOW) == NOW + 1
    assert store.next_timer(NOW + 1) == NOW + 2
    assert store.instances_due(NOW, NOW + 2) == ["a"]
    assert store.instances_due(NOW + 3, NOW + 9) == []
    store.cancel_timers("a", "e1", [0, 1])
    assert store.next_timer(NOW) == NOW + 3
    store.cancel_timers("a", "another execution")
    assert store.next_timer(NOW) == NOW + 3
    store.cancel_timers("a", "e1")
    assert store.next_timer(NOW) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (InstanceFilter(), ["a-1", "a-2", "b-3"]),
        (InstanceFilter(prefix="a-"), ["a-1", "a-2"]),
        (InstanceFilter(prefix="a_"), []),
        (InstanceFilter(statuses=[Status.FAILED, Status.COMPLETED]), ["a-2", "b-3"]),
        (InstanceFilter(created_from=NOW + 2), ["a-2", "b-3"]),
        (InstanceFilter(created_to=NOW + 2), ["a-1", "a-2"]),
        (InstanceFilter(created_from=NOW + 2, statuses=[Status.FAILED], prefix="b"), ["b-3"]),
    ],
)
def test_instances_are_listed_by_filter(store: Store, wanted: InstanceFilter, expected: list[str]) -> None:
    store.add_instance(instance("b-3", Status.FAILED, NOW + 3))
    store.add_instance(instance("a-1", Status.RUNNING, NOW + 1))
    store.add_instance(instance("a-2", Status.COMPLETED, NOW + 2))
    assert [found.instance_id for found in store.instances(wanted)] == expected


def test_an_activity_stays_until_it_has_a_result(store: Store) -> None:
    first = store.add_activity(instance("a"), 0, "work", "1")
    second = store.add_activity(instance("a"), 1, "work", None)
    assert store.activities() == [first, second]
    store.delete_activity(first.id)
    assert store.activities() == [second]


def test_a_deleted_instance_takes_its_history_and_inbox_along(store: Store) -> None:
    store.add_instance(instance("a"))
    store.append_history("a", 0, [event(EventType.ORCHESTRATOR_STARTED, NOW)])
    store.post("a", event(EventType.EVENT_RAISED, NOW, Name="x"), NOW)
    store.delete_instance("a")
    assert (store.instance("a"), store.history("a"), store.due_messages("a", NOW)) == (None, [], [])
