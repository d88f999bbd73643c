"""The settings of the four steps of a deployment: what each step switches on, and what shows it."""

from __future__ import annotations

from pydantic import Field

from rampgate.checks.frame.secrets import Secret
from rampgate.checks.frame.table import Duration, JMESPath, Table, UrlPath


class StepSettings(Table):
    """What every step has: the flags that it switches on, read back for an account that must have them."""

    flags: list[str] = Field(default_factory=list)


class MonitoringStepSettings(StepSettings):
    """[deploy.monitoring]: a visit by a browser must show up in the metrics and in Prometheus."""

    page: str | None = Field(default=None, description="name of one of [[pages]], visited by a browser")
    metrics: UrlPath = "/metrics"
    series: str = Field(default="", description="a counter that the visit raises")
    promql: str = Field(default="", description="a number that the visit raises, of Prometheus")
    within: Duration = Field(default=15.0, gt=0)


class CacheSettings(Table):
    """deploy.backend.cache: a request that must be answered from the cache when it is asked again."""

    path: UrlPath
    header: str = "X-Cache"
    hit: str = "hit"
    requests: int = Field(default=50, ge=2, le=1000)


class QuerySettings(Table):
    """deploy.backend.queries: how the database answers a query, as its explain says."""

    name: str = Field(min_length=1)
    path: UrlPath
    stage: JMESPath = "stage"
    examined: JMESPath = "docsExamined"
    returned: JMESPath = "returned"


class PagingSettings(Table):
    """deploy.backend.paging: a list that is read from its beginning to its end, page by page."""

    path: UrlPath
    items: JMESPath = "items[].id"
    cursor: JMESPath = "nextCursor"
    parameter: str = "cursor"
    total: UrlPath | None = Field(default=None, description="where the true number of items stands")
    total_value: JMESPath = "totals.patients"
    pages: int = Field(default=1000, ge=1, description="more pages than this are no list that ends")


class BackendStepSettings(StepSettings):
    """[deploy.backend]: the cache hits, queries use an index, paging misses and repeats nothing."""

    cache: CacheSettings | None = None
    queries: list[QuerySettings] = Field(default_factory=list)
    paging: PagingSettings | None = None


class ThemeSettings(Table):
    """deploy.frontend.theme: the switch of the theme on a page."""

    page: str
    button: str = "#theme"


class FrontendStepSettings(StepSettings):
    """[deploy.frontend]: the theme shifts no layout, the bundle has not grown, the console is quiet."""

    theme: ThemeSettings | None = None
    console: list[str] = Field(default=[], description="names of [[pages]] that must log no error")


class ListSettings(Table):
    """deploy.advanced.list: a long list of which a page holds only the rows in view."""

    page: str
    row: str = "tbody tr"
    most: int = Field(default=200, ge=1, description="rows that may be in the page at once")
    last: str = Field(default="", description="CSS of what is in view once the end is")
    more: str = Field(default="", description="CSS of a button that brings more rows")


class JobSettings(Table):
    """deploy.advanced.jobs: work that is queued, and done."""

    path: UrlPath
    body: dict[str, Secret] = Field(default_factory=dict)
    id: JMESPath = "id"
    state_path: UrlPath = "/api/jobs/{id}"
    state: JMESPath = "state"
    done: str = "done"
    within: Duration = Field(default=30.0, gt=0)


class AdvancedStepSettings(StepSettings):
    """[deploy.advanced]: the service worker serves offline, long lists stay short, jobs get done."""

    service_worker: str | None = Field(default=None, description="name of the page that registers it")
    list: ListSettings | None = None
    jobs: JobSettings | None = None


class DeploySettings(Table):
    """[deploy]: what the steps of a deployment must show."""

    monitoring: MonitoringStepSettings | None = None
    backend: BackendStepSettings | None = None
    frontend: FrontendStepSettings | None = None
    advanced: AdvancedStepSettings | None = None
