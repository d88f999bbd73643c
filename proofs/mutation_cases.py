"""One mutation for each check before and during a deploy, as data: what is broken, what it must say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs.cases import flag, later, nothing, stop, switch, without_rules

if TYPE_CHECKING:
    from proofs.cases import Inject


@dataclass(frozen=True)
class Mutation:
    """What is broken for one check.

    Args:
        stage: predeploy, or deploy-STEP.
        check: its id without the stage, such as ``backend::cache_hits``; with [key] where there are several.
        what: what a reader calls it.
        inject: breaks it.
        reason: what the check's sentence must contain; its name, which comes first, does not count.
        lasts: whether only a new deployment is whole again.
        arguments: of the deployment, in place of a mutation while it runs.
        first: a check before the deploy that is run first: what it measures is what this one compares with.
        breaks_code: whether the code that is about to be deployed is broken, not the deployment.
    """

    stage: str
    check: str
    what: str
    inject: Inject
    reason: str
    lasts: bool = False
    arguments: tuple[str, ...] = ()
    first: str = ""
    breaks_code: bool = False


BACKEND, FRONTEND, ADVANCED = "deploy-backend", "deploy-frontend", "deploy-advanced"
MUTATIONS = (
    Mutation(
        "predeploy",
        "monitoring::service_is_up[web]",
        "web server stopped",
        stop("web"),
        "refused",
        lasts=True,
    ),
    Mutation(
        "predeploy", "monitoring::service_is_up[api]", "API stopped", stop("api"), "refused", lasts=True
    ),
    Mutation(
        "predeploy",
        "monitoring::monitoring_is_up[prometheus]",
        "Prometheus stopped",
        stop("prometheus"),
        "refused",
        lasts=True,
    ),
    Mutation(
        "predeploy",
        "monitoring::monitoring_is_up[alertmanager]",
        "Alertmanager stopped",
        stop("alertmanager"),
        "refused",
        lasts=True,
    ),
    Mutation(
        "predeploy",
        "monitoring::monitoring_is_up[performance]",
        "vitals are lost",
        switch("api", vitals_lost={}),
        "503",
    ),
    Mutation(
        "predeploy",
        "monitoring::jobs_are_up",
        "Alertmanager stopped",
        later(stop("alertmanager")),
        "alertmanager: http",
        lasts=True,
    ),
    Mutation(
        "predeploy", "monitoring::rules_are_loaded", "rules lost", without_rules, "not loaded", lasts=True
    ),
    Mutation(
        "predeploy",
        "monitoring::metrics_are_delivered",
        "a series is missing",
        later(switch("api", metrics_missing={"name": "mongodb_up"})),
        "database_connection_failures: no sample",
    ),
    Mutation(
        "predeploy",
        "alerts::channel_delivers[on-call]",
        "inbox stopped",
        stop("inbox"),
        "refused",
        lasts=True,
    ),
    Mutation(
        "predeploy", "alerts::channel_delivers[mail]", "inbox stopped", stop("inbox"), "refused", lasts=True
    ),
    Mutation(
        "predeploy",
        "flags::flags_are_at_their_start_values",
        "a flag is on",
        flag("apiCaching", enabled=True),
        "apiCaching",
        lasts=True,
    ),
    Mutation(
        "predeploy",
        "flags::data_can_be_read_with_the_features_off",
        "the new form of a note is not known without the features",
        switch("api", new_notes_unreadable={}),
        "name a floor in rollout.floor",
    ),
    Mutation(
        "predeploy",
        "flags::a_rollout_reaches_whom_it_should",
        "percentage before overrides",
        nothing,
        "not as planned",
        lasts=True,
        arguments=("--flag-semantics", "seed"),
    ),
    Mutation(
        "predeploy",
        "backups::mongodb_backup_restores",
        "MongoDB stopped",
        stop("mongodb"),
        "MongoDB does not answer",
        lasts=True,
    ),
    Mutation(
        "predeploy",
        "backups::redis_backup_restores",
        "Redis stopped",
        stop("redis"),
        "Redis does not answer",
        lasts=True,
    ),
    Mutation(
        "predeploy",
        "code::command_succeeds[imports]",
        "a module is broken",
        nothing,
        "a_module_that_nobody_has_written",
        breaks_code=True,
    ),
    Mutation(
        "predeploy",
        "code::bundle_is_measured",
        "the page is not served",
        switch("web", page_error={"status": 500, "path": "/patients"}),
        "page patients: answered 500",
    ),
    Mutation(
        "predeploy",
        "visual::page_looks_as_accepted[dashboard]",
        "something pushes in above the page",
        switch("web", layout_shift={"px": 80}),
        "of the pixels differ",
        first="visual::page_looks_as_accepted[dashboard]",
    ),
    Mutation(
        "predeploy",
        "baseline::endpoint_before[patients]",
        "the API answers nothing but 500",
        switch("api", errors={"endpoint": "/api/patients"}),
        "none of 200 requests was answered: HTTP 500",
    ),
    Mutation(
        "predeploy",
        "baseline::page_before[dashboard]",
        "the page is not served",
        switch("web", page_error={"status": 500, "path": "/"}),
        "status 500",
    ),
    Mutation(
        "predeploy", "baseline::visits_before", "API stopped", stop("api"), "api does not answer", lasts=True
    ),
    Mutation(
        "predeploy",
        "load::short_load_runs_to_its_end",
        "3 s more for each answer",
        switch("api", latency={"ms": 3000}),
        "took 1,000 ms or more",
    ),
    Mutation(
        "deploy-monitoring",
        "monitoring::flags_are_on",
        "the flag is off",
        flag("performanceMonitoring", enabled=False),
        "performanceMonitoring",
        lasts=True,
    ),
    Mutation(
        "deploy-monitoring",
        "monitoring::a_visit_is_counted",
        "vitals are lost",
        switch("api", vitals_lost={}),
        "web_vitals_received_total",
    ),
    Mutation(
        BACKEND,
        "backend::flags_are_on",
        "a flag at 0 %",
        flag("apiCaching", percentage=0),
        "apiCaching",
        lasts=True,
    ),
    Mutation(
        BACKEND, "backend::cache_hits", "nothing is cached", switch("api", cache_never_hit={}), "X-Cache"
    ),
    Mutation(
        BACKEND,
        "backend::query_uses_an_index[patients by ward]",
        "the index is gone",
        switch("api", missing_index={}),
        "COLLSCAN",
    ),
    Mutation(
        BACKEND,
        "backend::paging_misses_and_repeats_nothing",
        "pages overlap",
        switch("api", paging_repeats={}),
        "items came twice",
    ),
    Mutation(
        BACKEND,
        "backend::paging_misses_and_repeats_nothing",
        "pages leave something out",
        switch("api", paging_gap={}),
        "items left out",
    ),
    Mutation(
        FRONTEND,
        "frontend::flags_are_on",
        "a flag is off",
        flag("themeOptimization", enabled=False),
        "themeOptimization",
        lasts=True,
    ),
    Mutation(
        FRONTEND,
        "frontend::theme_shifts_nothing",
        "the theme switch does nothing",
        switch("web", theme_broken={}),
        "changes no colour",
    ),
    Mutation(
        FRONTEND,
        "frontend::theme_shifts_nothing",
        "the page moves",
        switch("web", layout_shift={"px": 200}),
        "theme layout shift",
    ),
    Mutation(
        FRONTEND,
        "frontend::bundle_has_not_grown",
        "scripts that no page uses",
        switch("web", bundle_bloat={"kb": 40}),
        "bundle growth",
        first="code::bundle_is_measured",
    ),
    Mutation(
        FRONTEND,
        "frontend::console_is_quiet[dashboard]",
        "a script complains",
        switch("web", console_error={}),
        "This page has an error on purpose",
    ),
    Mutation(
        ADVANCED,
        "advanced::flags_are_on",
        "a flag is off",
        flag("virtualization", enabled=False),
        "virtualization",
        lasts=True,
    ),
    Mutation(
        ADVANCED,
        "advanced::page_comes_offline",
        "no service worker",
        switch("web", service_worker_missing={}),
        "none is registered",
    ),
    Mutation(
        ADVANCED,
        "advanced::page_comes_offline",
        "the worker answers with nothing",
        switch("web", offline_broken={}),
        "net::ERR_FAILED",
    ),
    Mutation(
        ADVANCED,
        "advanced::list_stays_short",
        "every row is drawn",
        switch("web", list_not_virtual={}),
        "rows at once",
    ),
    Mutation(ADVANCED, "advanced::job_is_done", "the queue is stuck", switch("api", jobs_stuck={}), "queued"),
)
