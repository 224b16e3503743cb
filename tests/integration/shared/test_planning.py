"""Planning: everything that stands in the way is told at once, before anything is touched."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.environment import TARGET, Services
from local.servers.ports import free_port
from local.servers.postgres import FlexibleServer
from local.vault.faults import JobFault, RequestFault
from shared.contracts.imports import LoadMethod
from shared.contracts.plan import Plan
from shared.contracts.request import read_request
from shared.contracts.vaultjobs import RestoreOrder
from shared.errors import PreflightFailed, RequestRejected, ServiceBusy
from shared.planning import make_plan
from shared.settings import settings
from shared.storage import landing
from shared.topology import LANDING_CONTAINERS
from shared.vault import operations

type Configure = Callable[..., None]


@pytest.fixture
def shut_account(app: Services, configure: Configure) -> None:
    """A landing account that no vault can restore into."""
    address = settings().landing_account.replace(app.azurite.account_name, "shut")
    configure(FLEX_RESTORE_LANDING_ACCOUNT=address)


@pytest.fixture
def taken_name(flexible_server: FlexibleServer) -> Iterator[str]:
    """A database that stands on the target."""
    with flexible_server.connect(autocommit=True) as connection:
        connection.execute("CREATE DATABASE planning_taken")
        yield "planning_taken"
        connection.execute("DROP DATABASE planning_taken")


@pytest.fixture
def plan(app: object) -> Callable[..., Plan]:  # noqa: ARG001 -- settings first
    """The plan of a request with some changes."""

    def plan(**changes: Any) -> Plan:
        source = {"backupInstance": "orders"}
        return make_plan(read_request({"requestId": "p", "source": source, "target": TARGET, **changes}))

    return plan


def test_a_plan_says_what_from_when_into_what_and_with_which_tools(plan: Callable[..., Plan], app: Services) -> None:
    made = plan()

    assert made.instance is not None
    assert (made.instance.name, made.instance.server) == ("orders-prod-pgflex", "orders-prod")
    assert made.recovery_point is not None
    assert (made.recovery_point.id, made.recovery_point.time.isoformat()) == ("a" * 32, "2026-04-01T02:30:00+00:00")
    assert (made.target.alias, made.target.host) == (TARGET, app.target.host)
    assert made.target.version == app.target.version
    assert set(made.tools) == {"psql", "pg_restore"}
    assert made.findings == ()


@pytest.mark.usefixtures("shut_account")
def test_every_error_is_told_at_once(plan: Callable[..., Plan], configure: Configure, taken_name: str) -> None:
    configure(FLEX_RESTORE_PSQL="/nowhere/psql")

    with pytest.raises(PreflightFailed, match=r"^6 thing\(s\) stand in the way") as failed:
        plan(databases=[taken_name, "free"])

    assert [detail.split(":", 1)[0] for detail in failed.value.details] == [
        "client tools",
        "cross-tenant replication",
        "public reachability",
        "vault role",
        "landing account",
        "existing databases",
    ]
    for detail in failed.value.details[1:]:
        assert "Mend it with: " in detail


@pytest.mark.usefixtures("shut_account")
def test_wrong_names_reject_the_request_and_what_stands_in_the_way_is_told_too(plan: Callable[..., Plan]) -> None:
    with pytest.raises(RequestRejected, match=r"has 6 error\(s\)") as rejected:
        plan(target="elsewhere", source={"backupInstance": "nowhere"})

    found = rejected.value.details
    assert found[0].startswith(f"target: 'elsewhere' is no configured target server; known are: {TARGET}.")
    assert found[1].startswith("source.backupInstance: 'nowhere' is no backup instance")
    assert [line.split(":", 1)[0] for line in found[2:]] == [
        "cross-tenant replication",
        "public reachability",
        "vault role",
        "landing account",
    ]


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ({"backupInstance": "orders", "recoveryPoint": "0" * 32}, "source.recoveryPoint: orders-prod-pgflex has no"),
        ({"backupInstance": "orders", "atOrBefore": "2020-01-01T00:00Z"}, "source: orders-prod-pgflex has no recovery"),
        ({"container": "elsewhere", "backupName": "b"}, "source.container: 'elsewhere' is no landing container"),
    ],
)
def test_a_source_that_is_not_there_rejects_the_request(
    plan: Callable[..., Plan], source: dict[str, str], finding: str
) -> None:
    with pytest.raises(RequestRejected) as rejected:
        plan(source=source)
    assert rejected.value.details[0].startswith(finding)


@pytest.fixture
def webhooks(app: object, configure: Configure) -> None:  # noqa: ARG001 -- settings first
    configure(
        FLEX_RESTORE_WEBHOOKS='{"ops": "https://hooks.example/o?key=kept", "audit": "https://hooks.example/a"}',
        FLEX_RESTORE_WEBHOOK_HOSTS='["hooks.example"]',
        FLEX_RESTORE_WEBHOOK_SECRETS="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )


@pytest.mark.usefixtures("webhooks")
def test_webhooks_that_are_configured_may_be_named(plan: Callable[..., Plan]) -> None:
    made = plan(notify=["audit", "ops"])

    assert made.request.notify == ("audit", "ops")
    assert "kept" not in made.model_dump_json()


@pytest.mark.usefixtures("webhooks")
def test_each_webhook_that_is_not_configured_rejects_the_request_with_every_other_error(
    plan: Callable[..., Plan],
) -> None:
    with pytest.raises(RequestRejected, match=r"has 3 error\(s\)") as rejected:
        plan(target="elsewhere", notify=["nobody", "audit", "Ops", "nobody"])

    assert [line for line in rejected.value.details if not line.startswith("target: ")] == [
        "notify: 'nobody' is no configured webhook; known are: audit, ops.",
        "notify: 'Ops' is no configured webhook; known are: audit, ops.",
    ]


def test_where_no_webhook_has_a_name_none_can_be_named(plan: Callable[..., Plan]) -> None:
    with pytest.raises(RequestRejected) as rejected:
        plan(notify=["audit"])

    assert rejected.value.details == ["notify: 'audit' is no configured webhook; known are: none."]


def test_files_that_have_landed_need_no_vault(plan: Callable[..., Plan], configure: Configure) -> None:
    configure(FLEX_RESTORE_ARM_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    made = plan(source={"container": LANDING_CONTAINERS[0], "backupName": "b"})

    assert (made.instance, made.recovery_point) == (None, None)


def test_it_says_how_databases_will_be_loaded_as_settings_and_server_have_it(
    plan: Callable[..., Plan], configure: Configure
) -> None:
    configure(FLEX_RESTORE_STAGING_LIMIT_MB="100", FLEX_RESTORE_JOBS="2", FLEX_RESTORE_LANES="1")
    made = plan().loading

    assert made is not None
    assert made.rule.startswith("Archives of up to 105 MB are downloaded first; larger ones and those without")
    assert "over 2 connections each" in made.rule
    assert made.databases == ()
    definitions = plan(schemaOnly=True).loading
    assert definitions is not None
    assert definitions.rule.startswith("No rows are wanted")
    assert plan(mode="files-only").loading is None


def test_of_files_that_have_landed_it_names_each_wanted_database_the_largest_first(
    plan: Callable[..., Plan], configure: Configure, put: Callable[..., None]
) -> None:
    configure(FLEX_RESTORE_JOBS="2", FLEX_RESTORE_LANES="1", FLEX_RESTORE_ROUTE="staged")
    put("b_database_shop.sql", content=b"x" * 10)
    put("b_database_bank.sql", content=b"x" * 30)
    put("b_database_left.sql", "b_database_postgres.sql", "b_roles.sql", "another_database_shop.sql")
    files = {"container": LANDING_CONTAINERS[0], "backupName": "b"}
    made = plan(source=files, exclude=["left"]).loading

    assert made is not None
    assert [(one.database, one.size, one.methods) for one in made.databases] == [
        ("bank", 30, (LoadMethod.STAGED_PARALLEL,)),
        ("shop", 10, (LoadMethod.STAGED_PARALLEL,)),
    ]
    assert "local disk has" in made.databases[0].how


def test_where_files_cannot_be_listed_the_rule_alone_is_told(
    plan: Callable[..., Plan], put: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import tells that there are too many."""
    monkeypatch.setattr(landing, "FILES_LIMIT", 1)
    put("b_database_shop.sql", "b_database_bank.sql")
    made = plan(source={"container": LANDING_CONTAINERS[0], "backupName": "b"}).loading

    assert made is not None
    assert made.rule
    assert made.databases == ()


@pytest.mark.parametrize("on_conflict", ["skip", "replace"])
def test_a_taken_name_is_fine_when_the_request_says_what_to_do(
    plan: Callable[..., Plan], taken_name: str, on_conflict: str
) -> None:
    assert plan(databases=[taken_name], onConflict=on_conflict).request.on_conflict == on_conflict


def test_a_taken_name_is_told_with_the_ways_out(plan: Callable[..., Plan], taken_name: str) -> None:
    with pytest.raises(PreflightFailed) as failed:
        plan(databases=[{"name": "orders", "as": taken_name}])

    [detail] = failed.value.details
    assert detail == (
        f"existing databases: Database '{taken_name}' exists on the target server. "
        "Mend it with: give it another name with 'as', or say onConflict: replace or skip"
    )


def test_it_is_the_final_name_that_counts(plan: Callable[..., Plan], taken_name: str) -> None:
    assert plan(databases=[{"name": taken_name, "as": "*_drill"}, "*"]).findings == ()


def target_setting(**changes: Any) -> str:
    return json.dumps({TARGET: {**settings().targets[TARGET].model_dump(by_alias=True), **changes}})


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"port": 1}, "Start the server, or open its firewall for this app."),
        ({"user": "nobody"}, "password authentication failed"),
        ({"passwordSetting": "NOT_THERE"}, "The app setting NOT_THERE with target"),
    ],
)
def test_a_target_that_lets_nobody_in_is_a_finding_without_the_password(
    plan: Callable[..., Plan], configure: Configure, app: Services, changes: dict[str, Any], finding: str
) -> None:
    configure(FLEX_RESTORE_TARGETS=target_setting(**changes))

    with pytest.raises(PreflightFailed) as failed:
        plan(databases=["orders"])

    [detail] = failed.value.details
    assert detail.startswith("target server: ")
    assert finding in detail
    assert app.target.password not in detail


def test_a_user_who_may_not_create_databases_is_told_how(
    plan: Callable[..., Plan], configure: Configure, app: Services
) -> None:
    with app.target.connect(autocommit=True) as connection:
        connection.execute("CREATE ROLE planning_poor LOGIN PASSWORD 'poor'")
        poor = target_setting(user="planning_poor", passwordSetting="POOR_PASSWORD")
        configure(POOR_PASSWORD="poor", FLEX_RESTORE_TARGETS=poor)
        with pytest.raises(PreflightFailed) as failed:
            plan()
        connection.execute("DROP ROLE planning_poor")

    [detail] = failed.value.details
    assert "planning_poor may not create databases" in detail
    assert "CREATEDB" in detail


def test_a_running_job_is_a_warning_and_stops_nothing(
    plan: Callable[..., Plan], app: Services, order: RestoreOrder
) -> None:
    app.vault.inject(JobFault(outcome="Hang", after_files=0))
    operations.start_restore(order)

    [warning] = plan().findings
    assert (warning.check, warning.severity) == ("backup jobs", "warning")
    assert f"(restore {order.request_id}) is running on orders-prod; the restore starts when it has" in warning.message


def test_a_running_job_is_an_obstacle_where_restores_are_not_to_wait(
    plan: Callable[..., Plan], app: Services, order: RestoreOrder, configure: Configure
) -> None:
    configure(FLEX_RESTORE_BUSY_DATASOURCE="fail")
    app.vault.inject(JobFault(outcome="Hang", after_files=0))
    operations.start_restore(order)

    with pytest.raises(PreflightFailed) as failed:
        plan()
    [detail] = failed.value.details
    assert detail.startswith("backup jobs: Restore ")
    assert f"(restore {order.request_id}) is running on orders-prod. Mend it with: send the request again" in detail


def test_a_vault_that_does_not_answer_means_try_again_and_no_verdict(plan: Callable[..., Plan], app: Services) -> None:
    app.vault.inject(RequestFault(status=503, path="recoveryPoints"))

    with pytest.raises(ServiceBusy):
        plan()


@pytest.mark.parametrize(
    ("rule", "changes", "needed"),
    [
        ("on-request", {}, False),
        ("on-request", {"approval": "required"}, True),
        ("to-replace", {}, False),
        ("to-replace", {"onConflict": "replace"}, True),
        ("always", {}, True),
        # files alone touch no target
        ("always", {"mode": "files-only"}, False),
        ("always", {"mode": "files-only", "approval": "required"}, True),
    ],
)
def test_the_target_or_the_request_asks_for_approval(
    plan: Callable[..., Plan], configure: Configure, rule: str, changes: dict[str, Any], needed: bool
) -> None:
    targets = {alias: target.model_dump(by_alias=True) for alias, target in settings().targets.items()}
    configure(FLEX_RESTORE_TARGETS=json.dumps({TARGET: {**targets[TARGET], "approval": rule}}))

    assert plan(**changes).needs_approval is needed
