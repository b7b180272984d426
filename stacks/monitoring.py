"""How a stage is watched: alarms that go to one topic, a dashboard, and questions to the logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, CfnOutput, Duration, Environment, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambdas.core.authorization import LIFE_MONTHS, WARNING_DAYS
from lambdas.core.metrics import (
    CHART,
    CHART_AGE_HOURS,
    CHART_ENTRIES,
    DOCUMENTS_LOADED,
    NAMESPACE,
    NEW_SONGS,
    QUARANTINED_DOCUMENTS,
    RATE_LIMITED,
    REFRESH_TOKEN_DAYS_LEFT,
    SONGS_WAITING,
    SPOTIFY_REQUESTS,
    STAGE,
    Metric,
)
from stacks.checks import acknowledge
from stacks.constructs.alarm import RunbookAlarm
from stacks.constructs.function import PipelineFunction
from stacks.log_queries import LOG_QUERIES

_MOMENT = Duration.minutes(5)
_HOUR = Duration.hours(1)
_DAY = Duration.days(1)
FRESHNESS_WINDOW_HOURS = 25
"""A day, so that a chart polled once a day is always seen, and an hour, so that a poll may be a little late."""
LONGEST_WAIT = Duration.minutes(30)
"""A document that failed once or twice is back in 25 minutes: one that waits longer is not being loaded."""
TIMEOUT_SHARE = 0.8
"""Of a function's timeout: a load that takes more may soon not fit."""
_HALF, _WHOLE, _ROW = 12, 24, 6
_ALARMS_IN_A_WIDGET = 100
"""The most that CloudWatch takes:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""


@dataclass(frozen=True)
class WatchedChart:
    """A polled chart, and the age in hours above which it is out of date."""

    chart: str
    freshness_hours: int


class MonitoringStack(Stack):
    """Alarms, dashboard and saved log queries of a stage.

    There are no more alarms than there are things to do: what one of them shows early, another must not show late. So
    a throttled or failing poll, which is tried again by the next, is seen in the dead letters of extract and in the
    age of its chart; extract has no alarm on errors, throttles or duration (it may use its time to wait for Spotify).
    What only a poll can cause is watched only where `charts`, those that are polled, are some. A dropped file harms no
    other, so import_chart has no alarms on throttles or duration: what comes of them ends in its dead letters. Nor has
    report, which hands back what it has no time for.

    The topic takes messages from the stage's own alarms only, over TLS. It is not encrypted at rest: alarms cannot
    publish to a topic under AWS's own key (https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns), a key
    of ours would cost more than all the rest, and an alarm's name and threshold are no secret.

    Attributes: `topic`, and `alarms`, in the order in which the dashboard shows them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stack_name: str,
        env: Environment,
        termination_protection: bool,
        stage: str,
        charts: Sequence[WatchedChart],
        extract: PipelineFunction,
        transform: PipelineFunction,
        enrich: PipelineFunction,
        enrichment_is_scheduled: bool,
        extract_dead_letters: sqs.IQueue,
        enrich_dead_letters: sqs.IQueue,
        transform_queue: sqs.IQueue,
        transform_dead_letters: sqs.IQueue,
        import_chart: PipelineFunction,
        import_chart_dead_letters: sqs.IQueue,
        report: PipelineFunction,
        report_dead_letters: sqs.IQueue,
        alarm_email: str | None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=stack_name,
            env=env,
            termination_protection=termination_protection,
            description="spotify-etl: alarms, dashboard and saved log queries",
        )
        self._stage = stage
        self._prefix = f"spotify-etl-{stage}"
        self._charts = charts
        self._extract, self._transform = extract, transform
        self._enrich, self._enrichment_is_scheduled = enrich, enrichment_is_scheduled
        self._extract_dead_letters, self._enrich_dead_letters = extract_dead_letters, enrich_dead_letters
        self._transform_queue, self._transform_dead_letters = transform_queue, transform_dead_letters
        self._import_chart, self._import_chart_dead_letters = import_chart, import_chart_dead_letters
        self._report, self._report_dead_letters = report, report_dead_letters
        self.topic: sns.ITopic = self._topic(alarm_email)
        self.alarms: list[cloudwatch.IAlarm] = [
            *self._poll_alarms(),
            *self._enrichment_alarms(),
            *self._spotify_alarms(),
            *self._load_alarms(),
            *self._import_alarms(),
            *self._report_alarms(),
        ]
        dashboard = self._dashboard()
        self._queries()
        CfnOutput(self, "AlarmTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "DashboardName", value=dashboard.dashboard_name)

    def _topic(self, email: str | None) -> sns.ITopic:
        topic = sns.Topic(
            self, "Alarms", topic_name=f"{self._prefix}-alarms", display_name=self._prefix, enforce_ssl=True
        )
        alarms = self.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{self._prefix}-*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LetOnlyTheStagesAlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}, "ArnLike": {"aws:SourceArn": alarms}},
            )
        )
        if email is not None:
            mail = sns.Subscription(self, "Mail", topic=topic, protocol=sns.SubscriptionProtocol.EMAIL, endpoint=email)
            acknowledge(
                mail,
                "Serverless-SNSRedrivePolicy",
                reason="Dead letters of alarms would need an alarm, mailed the same way. What cannot be mailed is not "
                "lost: CloudWatch and the dashboard show an alarm's state and its history",
            )
        return topic

    def _measured(
        self, metric: Metric, *, statistic: str, period: Duration, chart: str | None = None, label: str | None = None
    ) -> cloudwatch.Metric:
        """A metric of the project's own, with the dimensions that the functions give it.

        A `label` is for the dashboard: with one, an alarm would become an expression, which the emulator knows none of.
        """
        values = {STAGE: self._stage} | ({} if chart is None else {CHART: chart})
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=metric.name,
            dimensions_map={name: values[name] for name in metric.dimensions},
            statistic=statistic,
            period=period,
            label=label,
        )

    def _poll_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about polls. A stage that polls nothing has none of these."""
        if not self._charts:
            return []
        fresh = [
            RunbookAlarm(
                self,
                f"Fresh-{watched.chart}",
                name=f"{self._prefix}-out-of-date-{watched.chart}",
                meaning=f"In the past day no poll of {watched.chart} found a chart date that ended less than "
                f"{watched.freshness_hours} hours ago, or there was no poll.",
                heading="A chart is out of date",
                # The best of a day, for one poll that failed is no harm if the next one succeeds.
                metric=self._measured(CHART_AGE_HOURS, statistic="Minimum", period=_HOUR, chart=watched.chart),
                threshold=watched.freshness_hours,
                above=True,
                periods=FRESHNESS_WINDOW_HOURS,
                missing_is_breaching=True,
                tell_recovery=True,
                notify=self.topic,
            ).alarm
            for watched in self._charts
        ]
        failed = self._dead_letters_alarm(
            "PollFailed",
            name="poll-failed",
            meaning="A poll failed or could not be started: its event lies in the dead letters of extract.",
            heading="A poll failed",
            queue=self._extract_dead_letters,
        )
        sign_in = RunbookAlarm(
            self,
            "SignInEnds",
            name=f"{self._prefix}-sign-in-ends",
            meaning=f"The user's sign-in to Spotify, of {LIFE_MONTHS} months, ends within {WARNING_DAYS} days, or has.",
            heading="The user has to sign in again",
            # The greatest of a day, so that the first poll after a new sign-in ends it.
            metric=self._measured(REFRESH_TOKEN_DAYS_LEFT, statistic="Maximum", period=_DAY),
            threshold=WARNING_DAYS,
            low=True,
            tell_recovery=True,
            notify=self.topic,
        )
        return [*fresh, failed, sign_in.alarm]

    def _enrichment_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about enrichments that nobody watches: where no schedule makes them, there are none."""
        if not self._enrichment_is_scheduled:
            return []
        failed = self._dead_letters_alarm(
            "EnrichmentFailed",
            name="enrichment-failed",
            meaning="An enrichment failed or could not be started: its event lies in the dead letters of enrich.",
            heading="An enrichment failed",
            queue=self._enrich_dead_letters,
        )
        return [failed]

    def _spotify_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about Spotify. A stage that calls it only when somebody asks for it has none of these."""
        if not self._charts and not self._enrichment_is_scheduled:
            return []
        limited = RunbookAlarm(
            self,
            "RateLimited",
            name=f"{self._prefix}-rate-limited",
            meaning="In the past day Spotify asked a poll or an enrichment to wait longer than it can.",
            heading="Spotify limits the rate",
            metric=self._measured(RATE_LIMITED, statistic="Sum", period=_DAY),
            threshold=1,
            notify=self.topic,
        )
        return [limited.alarm]

    def _load_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about raw documents on their way into the tables."""
        function = self._transform.function
        timeout = self._transform.timeout
        return [
            self._dead_letters_alarm(
                "NotLoaded",
                name="not-loaded",
                meaning="Raw documents failed five times, and lie in the dead letters of transform.",
                heading="Documents are stored but not in the tables",
                queue=self._transform_dead_letters,
            ),
            RunbookAlarm(
                self,
                "Waiting",
                name=f"{self._prefix}-waiting",
                meaning=f"A raw document has waited for over {LONGEST_WAIT.to_minutes():.0f} minutes to be loaded.",
                heading="Documents wait to be loaded",
                metric=_oldest(self._transform_queue),
                threshold=LONGEST_WAIT.to_seconds(),
                above=True,
                tell_recovery=True,
                notify=self.topic,
            ).alarm,
            RunbookAlarm(
                self,
                "Quarantined",
                name=f"{self._prefix}-quarantined",
                meaning="Within an hour, documents came in that cannot be used.",
                heading="A document is in quarantine",
                metric=self._measured(QUARANTINED_DOCUMENTS, statistic="Sum", period=_HOUR),
                threshold=1,
                notify=self.topic,
            ).alarm,
            self._crash_alarm(
                "TransformErrors",
                name="transform-errors",
                who="transform",
                heading="The transform crashes",
                function=function,
            ),
            RunbookAlarm(
                self,
                "TransformThrottles",
                name=f"{self._prefix}-transform-throttled",
                meaning="For a quarter of an hour the account had no concurrency left for transform.",
                heading="The transform is throttled",
                metric=function.metric_throttles(statistic="Sum", period=_MOMENT),
                threshold=1,
                periods=3,
                notify=self.topic,
            ).alarm,
            RunbookAlarm(
                self,
                "TransformDuration",
                name=f"{self._prefix}-transform-slow",
                meaning=f"transform used over {TIMEOUT_SHARE:.0%} of its {timeout.to_seconds():.0f} seconds.",
                heading="The transform nears its timeout",
                metric=function.metric_duration(statistic="Maximum", period=_MOMENT),
                threshold=TIMEOUT_SHARE * timeout.to_milliseconds(),
                above=True,
                notify=self.topic,
            ).alarm,
        ]

    def _import_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about dropped files. One that is bad is in quarantine, which has its alarm above."""
        return [
            self._dead_letters_alarm(
                "NotImported",
                name="not-imported",
                meaning="Dropped files failed five times, and their events lie in the dead letters of import_chart.",
                heading="Dropped files are not imported",
                queue=self._import_chart_dead_letters,
            ),
            self._crash_alarm(
                "ImportChartErrors",
                name="import-chart-errors",
                who="import_chart",
                heading="The import crashes",
                function=self._import_chart.function,
            ),
        ]

    def _report_alarms(self) -> list[cloudwatch.IAlarm]:
        """What is to be done about reports that are made by themselves."""
        return [
            self._dead_letters_alarm(
                "NotReported",
                name="not-reported",
                meaning="Reports failed five times, and their events lie in the dead letters of report.",
                heading="Reports are not made",
                queue=self._report_dead_letters,
            ),
            self._crash_alarm(
                "ReportErrors",
                name="report-errors",
                who="report",
                heading="The report crashes",
                function=self._report.function,
            ),
        ]

    def _dead_letters_alarm(
        self, construct_id: str, *, name: str, meaning: str, heading: str, queue: sqs.IQueue
    ) -> cloudwatch.IAlarm:
        """On as long as anything lies in the dead letters."""
        return RunbookAlarm(
            self,
            construct_id,
            name=f"{self._prefix}-{name}",
            meaning=meaning,
            heading=heading,
            metric=_waiting(queue),
            threshold=1,
            tell_recovery=True,
            notify=self.topic,
        ).alarm

    def _crash_alarm(
        self, construct_id: str, *, name: str, who: str, heading: str, function: lambda_.IFunction
    ) -> cloudwatch.IAlarm:
        """For each time that a function ends in a way that it does not handle."""
        return RunbookAlarm(
            self,
            construct_id,
            name=f"{self._prefix}-{name}",
            meaning=f"{who} crashed, or ran out of time or memory; what it can handle does not count here.",
            heading=heading,
            metric=function.metric_errors(statistic="Sum", period=_MOMENT),
            threshold=1,
            notify=self.topic,
        ).alarm

    def _dashboard(self) -> cloudwatch.Dashboard:
        """From what matters most down: is it fresh, does anything alarm; what came in; what failed; what waits."""
        dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self._prefix, default_interval=Duration.days(14)
        )
        status, *more = [
            cloudwatch.AlarmStatusWidget(
                title="More alarms" if first else "Alarms",
                alarms=self.alarms[first : first + _ALARMS_IN_A_WIDGET],
                width=_HALF if self._charts and not first else _WHOLE,
                height=_ROW,
            )
            for first in range(0, len(self.alarms), _ALARMS_IN_A_WIDGET)
        ]
        if self._charts:
            ages = [
                self._measured(
                    CHART_AGE_HOURS,
                    statistic="Minimum",
                    period=_HOUR,
                    chart=watched.chart,
                    label=f"{watched.chart}, out of date above {watched.freshness_hours}",
                )
                for watched in self._charts
            ]
            title = "Hours since the end of the newest chart date"
            dashboard.add_widgets(
                cloudwatch.SingleValueWidget(title=title, metrics=ages, sparkline=True, width=_HALF, height=_ROW),
                status,
            )
        else:
            dashboard.add_widgets(status)
        if more:
            dashboard.add_widgets(*more)
        loaded = [
            self._measured(metric, statistic="Sum", period=_DAY)
            for metric in (CHART_ENTRIES, NEW_SONGS, DOCUMENTS_LOADED, QUARANTINED_DOCUMENTS)
        ]
        dashboard.add_widgets(
            _graph("Loaded per day: entries and new songs", loaded[:2]),
            _graph("Raw documents per day: loaded and quarantined", loaded[2:]),
        )
        dashboard.add_widgets(
            _graph("Failures", self._failures()),
            _graph(
                "Raw documents that wait to be loaded",
                [_waiting(self._transform_queue).with_(label="waiting")],
                [_oldest(self._transform_queue).with_(label="seconds the oldest has waited")],
            ),
        )
        durations = [
            held.function.metric_duration(statistic="Maximum", period=_HOUR, label=name)
            for name, held in (("transform", self._transform), ("report", self._report))
        ]
        asked = [self._measured(metric, statistic="Sum", period=_DAY) for metric in (SPOTIFY_REQUESTS, RATE_LIMITED)]
        waiting = self._measured(SONGS_WAITING, statistic="Minimum", period=_DAY)
        sign_in = self._measured(
            REFRESH_TOKEN_DAYS_LEFT, statistic="Minimum", period=_DAY, label="days the user's sign-in lasts"
        )
        dashboard.add_widgets(
            # Of stages that poll nothing, too: whoever has chart files may complete their songs.
            _graph(
                "Spotify per day: calls, and runs it turned away",
                asked,
                [waiting, *([sign_in] if self._charts else [])],
            ),
            _graph("Milliseconds of the longest run", durations, limit=self._transform.timeout.to_milliseconds()),
        )
        return dashboard

    def _failures(self) -> list[cloudwatch.IMetric]:
        functions = [("transform", self._transform), ("import_chart", self._import_chart), ("report", self._report)]
        dead_letters = [
            ("transform", self._transform_dead_letters),
            ("import_chart", self._import_chart_dead_letters),
            ("report", self._report_dead_letters),
        ]
        if self._charts:
            functions.append(("extract", self._extract))
            dead_letters.append(("extract", self._extract_dead_letters))
        if self._enrichment_is_scheduled:
            functions.append(("enrich", self._enrich))
            dead_letters.append(("enrich", self._enrich_dead_letters))
        errors = [
            held.function.metric_errors(statistic="Sum", period=_HOUR, label=f"errors of {name}")
            for name, held in functions
        ]
        throttles = [
            held.function.metric_throttles(statistic="Sum", period=_HOUR, label=f"throttles of {name}")
            for name, held in functions
        ]
        letters = [_waiting(queue).with_(label=f"dead letters of {name}") for name, queue in dead_letters]
        return [*errors, *throttles, *letters]

    def _queries(self) -> None:
        groups = {
            "extract": self._extract.log_group,
            "import_chart": self._import_chart.log_group,
            "transform": self._transform.log_group,
            "enrich": self._enrich.log_group,
            "report": self._report.log_group,
        }
        for query in LOG_QUERIES:
            logs.CfnQueryDefinition(
                self,
                "".join(word.capitalize() for word in query.name.split()),
                # A slash makes a folder of what is before it.
                name=f"{self._prefix}/{query.name}",
                log_group_names=[groups[function].log_group_name for function in query.functions if function in groups],
                query_string=query.text,
            )


def _waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_MOMENT)


def _oldest(queue: sqs.IQueue) -> cloudwatch.Metric:
    return queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=_MOMENT)


def _graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    right: Sequence[cloudwatch.IMetric] = (),
    *,
    limit: float | None = None,
) -> cloudwatch.GraphWidget:
    axis = cloudwatch.YAxisProps(min=0, show_units=False)
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        left_y_axis=axis,
        left_annotations=[]
        if limit is None
        else [cloudwatch.HorizontalAnnotation(value=limit, label="timeout of transform")],
        right=list(right),
        right_y_axis=axis,
        width=_HALF,
        height=_ROW,
    )
