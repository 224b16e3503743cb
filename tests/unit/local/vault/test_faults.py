"""Faults are met once each, by whom they are meant for."""

from email.utils import parsedate_to_datetime

from local.vault.faults import FaultRequest, Faults, JobFault, OperationFault, RequestFault


def test_a_request_fault_is_used_up_after_its_count_and_only_by_matching_paths() -> None:
    faults = Faults()
    faults.add(FaultRequest(requests=(RequestFault(status=429, count=2, path="/recoverypoints$"),)))

    met = [
        faults.for_request(path)
        for path in ("/a/recoveryPoints", "/a/restore", "/a/recoveryPoints", "/a/recoveryPoints")
    ]

    assert [fault is not None for fault in met] == [True, False, True, False]


def test_a_job_fault_waits_for_a_job_of_its_kind() -> None:
    faults = Faults()
    faults.add(FaultRequest(jobs=(JobFault(operation="Restore", outcome="Failed"),)))

    assert faults.for_job("Backup") is None
    assert faults.for_job("Restore") == JobFault(operation="Restore", outcome="Failed")
    assert faults.for_job("Restore") is None


def test_clearing_forgets_faults_and_lets_hanging_jobs_go() -> None:
    faults = Faults()
    faults.add(FaultRequest(requests=(RequestFault(status=500),), jobs=(JobFault(outcome="Hang"),)))
    assert not faults.cleared.is_set()

    faults.clear()

    assert faults.cleared.is_set()
    assert faults.for_request("/") is None
    assert faults.for_job("Restore") is None


def test_an_operation_fault_waits_for_an_operation_of_its_action() -> None:
    faults = Faults()
    faults.add(FaultRequest(operations=(OperationFault(action="restore", expired=410),)))

    assert faults.for_operation("validateRestore") is None
    assert faults.for_operation("restore") == OperationFault(action="restore", expired=410)
    assert faults.for_operation("restore") is None


def test_a_point_has_expired_until_the_faults_are_cleared() -> None:
    faults = Faults()
    faults.add(FaultRequest(expired_points=("a",)))
    assert [faults.is_expired("a"), faults.is_expired("b")] == [True, False]

    faults.clear()
    assert not faults.is_expired("a")


def test_a_job_relapses_after_its_end_was_seen_once_and_so_many_times() -> None:
    faults = Faults()
    faults.let_relapse("job", 2)

    assert [faults.relapses("job") for _ in range(5)] == [False, True, True, False, False]
    assert not faults.relapses("another")


def test_a_wait_is_told_in_seconds_or_as_a_date() -> None:
    seconds = RequestFault(status=429, retry_after=30).error().headers
    date = RequestFault(status=429, retry_after=30, as_date=True).error().headers

    assert seconds == {"Retry-After": "30"}
    assert parsedate_to_datetime(date["Retry-After"]).tzinfo is not None
