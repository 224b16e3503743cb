"""Faults are met once each, by whom they are meant for."""

from local.vault.faults import FaultRequest, Faults, JobFault, RequestFault


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
