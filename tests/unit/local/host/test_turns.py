"""Turns of orchestrations: the engine's semantics with the real SDK, step by step."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from local.host.instances import (
    InstanceExistsError,
    InstanceGoneError,
    InstanceNotFoundError,
    UnknownFunctionError,
)
from local.host.outputs import OutputError
from local.host.store import InstanceFilter, Status
from local.host.workers import FunctionTimeoutError, WorkerLostError

Context = Any  # df.DurableOrchestrationContext: the SDK ships no types
NewBench = Callable[..., Any]


def ten_times(value: Any) -> Any:
    return value * 10


class TestActivities:
    def test_one_after_the_other(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            first = yield context.call_activity("work", 1)
            second = yield context.call_activity("work", first)
            return [first, second]

        bench = new_bench(main=main)
        bench.start("main")
        bench.complete_all(ten_times)
        assert bench.output() == [10, 100]

    def test_side_by_side_they_are_ordered_in_one_turn_and_may_complete_in_any_order(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            return (yield context.task_all([context.call_activity("work", i) for i in range(3)]))

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        assert [json.loads(activity.input) for activity in bench.activities] == [0, 1, 2]
        for activity in reversed(list(bench.activities)):
            bench.complete(activity, json.loads(activity.input) * 10)
        bench.turn()
        assert bench.output() == [0, 10, 20]

    def test_the_first_of_several_wins_and_the_others_are_ignored(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            tasks = [context.call_activity("work", i) for i in range(2)]
            winner = yield context.task_any(tasks)
            after = yield context.call_activity("work", 7)
            return [winner.result, after]

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        bench.complete(bench.activities[1], "second")
        bench.settle()
        bench.complete(bench.activities[0], "first, too late")
        bench.complete_all(ten_times)
        assert bench.output() == ["second", 70]

    def test_a_failure_is_an_exception_that_can_be_caught(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            try:
                yield context.call_activity("work")
            except Exception as error:  # noqa: BLE001 - the SDK raises nothing more precise
                return str(error)

        bench = new_bench(main=main)
        bench.start("main")
        bench.complete_all(lambda _: ValueError("no"))
        assert bench.output().startswith("Activity function 'work' failed: no")

    def test_an_uncaught_failure_fails_the_orchestration(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            yield context.call_activity("work")

        bench = new_bench(main=main)
        bench.start("main")
        bench.complete_all(lambda _: ValueError("no"))
        assert bench.instance().status is Status.FAILED
        assert bench.output().startswith("Orchestrator function 'main' failed: Activity function 'work' failed: no")

    def test_names_are_found_without_case_and_unknown_ones_fail_the_orchestration(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            yield context.call_activity("WORK")
            yield context.call_activity("absent")

        bench = new_bench(main=main)
        bench.start("main")
        bench.complete_all(lambda _: None)
        assert "The function 'absent' doesn't exist" in bench.output()
        assert "known activity functions: 'work'" in bench.output()


class TestRetries:
    def _bench(self, new_bench: NewBench, attempts: int) -> Any:
        def main(context: Context) -> Any:
            options = df.RetryOptions(5000, attempts)
            value = yield context.call_activity_with_retry("work", options, 1)
            return [value, (yield context.call_activity("work", 2))]

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        return bench

    def test_a_retry_waits_its_interval_and_what_follows_still_reaches_its_task(self, new_bench: NewBench) -> None:
        bench = self._bench(new_bench, 3)
        for _ in range(2):
            bench.complete(bench.activities[0], ValueError("not yet"))
            bench.settle()
            assert bench.activities == []
            before = bench.now
            assert bench.fire_next_timer()
            assert bench.now == before + 5
            bench.settle()
        bench.complete_all(ten_times)
        assert bench.output() == [10, 20]

    def test_after_the_last_attempt_one_more_timer_passes_before_the_failure(self, new_bench: NewBench) -> None:
        bench = self._bench(new_bench, 1)
        bench.complete(bench.activities[0], ValueError("never"))
        bench.settle()
        assert bench.instance().status is Status.RUNNING
        bench.fire_next_timer()
        bench.settle()
        assert "never" in bench.output()

    def test_a_pause_past_the_end_of_time_fails_the_orchestration(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            return (yield context.call_activity_with_retry("work", df.RetryOptions(10**15, 2)))

        bench = new_bench(main=main)
        bench.start("main")
        bench.complete_all(lambda _: ValueError("never"))
        assert "ends after the year 9999" in bench.output()

    def test_children_are_retried_too(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            return (yield context.call_sub_orchestrator_with_retry("child", df.RetryOptions(1000, 2), 3, "the-child"))

        def child(context: Context) -> Any:
            return (yield context.call_activity("work", context.get_input()))

        bench = new_bench(main=main, child=child)
        bench.start("main")
        bench.settle()
        bench.complete(bench.activities[0], ValueError("once"))
        bench.settle()
        bench.fire_next_timer()
        bench.complete_all(ten_times)
        assert bench.output() == 30
        assert bench.output("the-child") == 30


class TestTimersAndEvents:
    @staticmethod
    def _wait(context: Context) -> Any:
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=30))
        event = context.wait_for_external_event("Go")
        winner = yield context.task_any([timer, event])
        if winner is timer:
            return "late"
        timer.cancel()
        result = yield context.call_activity("work", event.result)
        return result

    def test_a_timer_fires_at_its_time(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._wait)
        bench.start("main")
        bench.settle()
        before = bench.now
        bench.fire_next_timer()
        assert bench.now == before + 30 * 3600
        bench.settle()
        assert bench.output() == "late"

    def test_a_canceled_timer_is_taken_back(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._wait)
        bench.start("main")
        bench.settle()
        bench.instances.raise_event("main", "Go", "4")
        bench.settle()
        assert bench.store.next_timer(0) is None
        bench.complete_all(ten_times)
        assert bench.output() == 40

    def test_an_event_is_kept_until_it_is_awaited(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._wait)
        bench.instances.start("main", "main", None)
        bench.instances.raise_event("main", "Go", "5")
        bench.complete_all(ten_times)
        assert bench.output() == 50

    def test_events_of_one_name_reach_those_who_wait_one_by_one(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            first = yield context.wait_for_external_event("Go")
            second = yield context.wait_for_external_event("Go")
            return [first, second]

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        for value in (1, 2):
            bench.instances.raise_event("main", "Go", str(value))
            bench.settle()
        assert bench.output() == [1, 2]


class TestChildren:
    def test_a_child_has_the_given_id_and_knows_its_parent(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            return (yield context.call_sub_orchestrator("child", {"a": 1}, "given"))

        def child(context: Context) -> Any:
            return [context.instance_id, context.parent_instance_id, context.get_input()]

        bench = new_bench(main=main, child=child)
        bench.start("main")
        bench.settle()
        assert bench.output() == ["given", "main", {"a": 1}]

    def test_a_terminated_child_fails_its_parent(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            yield context.call_sub_orchestrator("child", None, "given")

        def child(context: Context) -> Any:
            yield context.wait_for_external_event("Never")

        bench = new_bench(main=main, child=child)
        bench.start("main")
        bench.settle()
        bench.instances.terminate("given", "out of time")
        bench.settle()
        assert bench.instance("given").status is Status.TERMINATED
        assert "out of time" in bench.output()

    def test_a_child_whose_id_is_taken_fails(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            yield context.call_sub_orchestrator("child", None, "taken")

        def child(context: Context) -> Any:
            yield context.wait_for_external_event("Never")

        bench = new_bench(main=main, child=child)
        bench.start("child", instance_id="taken")
        bench.settle()
        bench.start("main")
        bench.settle()
        assert "An Orchestration instance with the status Running already exists." in bench.output()


class TestContinueAsNew:
    @staticmethod
    def _count(context: Context) -> Any:
        count = context.get_input()
        yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
        if count < 3:
            context.continue_as_new(count + 1)
            return None
        return count

    def test_each_round_starts_with_an_empty_history(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._count)
        bench.start("main", 0)
        lengths = []
        bench.settle()
        while bench.fire_next_timer():
            lengths.append(len(bench.store.history("main")))
            bench.settle()
        assert bench.output() == 3
        assert len(set(lengths)) == 1

    def test_results_and_timers_of_an_earlier_round_are_dropped(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            done = context.get_input()
            if done:
                return (yield context.call_activity("work", 2))
            slow = context.call_activity("work", 1)
            timer = context.create_timer(context.current_utc_datetime + timedelta(days=1))
            yield context.task_any([slow, timer, context.wait_for_external_event("Go")])
            context.continue_as_new(True)

        bench = new_bench(main=main)
        bench.start("main", False)
        bench.settle()
        (slow,) = bench.activities
        bench.instances.raise_event("main", "Go", "null")
        bench.settle()
        assert bench.store.next_timer(0) is None
        bench.complete(slow, "of the first round")
        bench.complete_all(ten_times)
        assert bench.output() == 20

    def test_events_that_wait_in_the_inbox_come_in_the_next_round(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            seen = context.get_input()
            event = yield context.wait_for_external_event("Go")
            if len(seen) < 2:
                context.continue_as_new([*seen, event])
                return None
            return [*seen, event]

        bench = new_bench(main=main)
        bench.start("main", [])
        bench.settle()
        for value in (1, 2, 3):
            bench.instances.raise_event("main", "Go", str(value))
            bench.turn()
        bench.settle()
        assert bench.output() == [1, 2, 3]

    def test_an_event_that_nothing_awaited_is_dropped_with_a_warning(
        self, new_bench: NewBench, caplog: pytest.LogCaptureFixture
    ) -> None:
        def main(context: Context) -> Any:
            yield context.wait_for_external_event("Go")
            context.continue_as_new(None)

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        bench.instances.raise_event("main", "Other", "1")
        bench.instances.raise_event("main", "Go", "1")
        bench.settle()
        assert "Event Other of instance main came before continue_as_new and nothing awaited it" in caplog.text


class TestControl:
    @staticmethod
    def _main(context: Context) -> Any:
        context.set_custom_status({"step": 1})
        return (yield context.wait_for_external_event("Go"))

    def test_custom_status_is_kept(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.settle()
        assert json.loads(bench.instance().custom_status) == {"step": 1}

    def test_suspended_means_no_turn_until_resumed(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.settle()
        bench.instances.suspend("main", "")
        bench.instances.raise_event("main", "Go", "1")
        bench.settle()
        assert bench.instance().status is Status.SUSPENDED
        bench.instances.resume("main", "")
        bench.settle()
        assert bench.output() == 1

    def test_terminated_means_the_end(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.settle()
        bench.instances.terminate("main", "enough")
        bench.settle()
        assert (bench.instance().status, bench.output()) == (Status.TERMINATED, "enough")
        with pytest.raises(InstanceGoneError):
            bench.instances.raise_event("main", "Go", "1")

    def test_only_what_has_ended_is_purged_or_replaced(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.settle()
        assert bench.instances.purge("main") == 0
        with pytest.raises(InstanceExistsError):
            bench.start("main")
        bench.instances.raise_event("main", "Go", "1")
        bench.settle()
        bench.start("main")
        assert bench.instance().status is Status.PENDING
        bench.instances.terminate("main", "")
        bench.settle()
        assert bench.instances.purge_matching(InstanceFilter(prefix="ma")) == 1
        with pytest.raises(InstanceNotFoundError):
            bench.instances.get("main")

    def test_an_unknown_orchestrator_cannot_be_started(self, new_bench: NewBench) -> None:
        with pytest.raises(UnknownFunctionError, match="known orchestrator functions: 'main'"):
            new_bench(main=self._main).start("absent")


class TestLosses:
    @staticmethod
    def _main(context: Context) -> Any:
        return (yield context.call_activity("work", 1))

    def test_a_lost_turn_is_taken_again(self, new_bench: NewBench) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.lose_next_turn = WorkerLostError("gone")
        with pytest.raises(WorkerLostError):
            bench.turn()
        bench.wake("main")
        bench.complete_all(ten_times)
        assert bench.output() == 10

    @pytest.mark.parametrize(
        "error",
        [FunctionTimeoutError("ran longer than functionTimeout (1 s)"), OutputError("output q could not be written")],
        ids=["function timeout", "output"],
    )
    def test_a_turn_that_takes_too_long_or_has_no_output_fails_the_orchestration(
        self, new_bench: NewBench, error: Exception
    ) -> None:
        bench = new_bench(main=self._main)
        bench.start("main")
        bench.lose_next_turn = error
        bench.settle()
        assert bench.output() == f"Orchestrator function 'main' failed: {error}"

    def test_an_instance_that_is_replaced_during_its_turn_is_not_written_over(self, new_bench: NewBench) -> None:
        def main(context: Context) -> Any:
            document = context.get_input()
            if document == "old" and not replaced:
                replaced.append(bench.start("main", "new"))
            return (yield context.call_activity("work", document))

        replaced: list[None] = []
        bench = new_bench(replace_running=True, main=main)
        bench.start("main", "old")
        bench.turn()
        assert bench.activities == []
        bench.complete_all(str.upper)
        assert bench.output() == "NEW"

    def test_code_that_changed_under_a_history_is_recognised(self, new_bench: NewBench) -> None:
        names = ["work", "other"]

        def main(context: Context) -> Any:
            yield context.call_activity(names[0], 1)
            yield context.call_activity("work", 2)

        bench = new_bench("work", "other", main=main)
        bench.start("main")
        bench.settle()
        names.pop(0)
        bench.complete(bench.activities[0], 1)
        bench.settle()
        assert "Non-Deterministic workflow detected" in bench.output()

    @pytest.mark.parametrize(
        ("feature", "ask"),
        [
            ("call_http", lambda context: context.call_http("GET", "http://127.0.0.1/")),
            ("call_entity", lambda context: context.call_entity(df.EntityId("counter", "a"), "get")),
            ("signal_entity", lambda context: context.signal_entity(df.EntityId("counter", "a"), "add")),
        ],
    )
    def test_what_is_not_there_fails_the_orchestration_in_words(
        self, new_bench: NewBench, feature: str, ask: Callable[[Context], Any]
    ) -> None:
        def main(context: Context) -> Any:
            asked = ask(context)
            yield asked or context.call_activity("work")

        bench = new_bench(main=main)
        bench.start("main")
        bench.settle()
        assert f"context.{feature} is not supported by this host" in bench.output()
