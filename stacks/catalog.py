"""How a stage is asked: tables in the Glue Data Catalog, and an Athena workgroup with the project's questions."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws, CfnOutput, Environment, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambdas.core.keys import RESULTS_PREFIX, table_prefix
from lambdas.core.queries import Query
from lambdas.core.schema import TABLES
from lambdas.core.views import View
from stacks import grants
from stacks.checks import acknowledge, acknowledge_prefixes, acknowledge_resource
from stacks.constructs.table import WarehouseTable
from stacks.constructs.view import WarehouseView

# Glue's own name for it, shared by all crawlers of the account.
_CRAWLER_LOGS = "log-group:/aws-glue/crawlers"


def _id(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


class CatalogStack(Stack):
    """Database, tables, views, crawler, workgroup and named queries of a stage.

    Athena needs no crawler, for the tables are projected. The crawler registers partitions for engines that know no
    projection and logs columns that differ from the tables'; it changes no schema. It runs by `crawler_schedule`, a
    cron expression of Glue's, in UTC; None, only when it is started, for each crawl bills ten minutes.

    Attributes: `database_name`, `workgroup_name`, `crawler_name`.
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
        database_name: str,
        workgroup_name: str,
        warehouse: s3.IBucket,
        results: s3.IBucket,
        scan_cutoff_bytes: int,
        queries: Sequence[Query],
        views: Sequence[View] = (),
        crawler_schedule: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=stack_name,
            env=env,
            termination_protection=termination_protection,
            description="spotify-etl: catalog of the warehouse and questions to it",
        )
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=database_name, description=f"Spotify's top songs, stage {stage}"
            ),
        )
        self.database_name: str = database.ref
        self._tables = [
            WarehouseTable(
                self,
                _id(table.name),
                table=table,
                database=database,
                warehouse=warehouse,
            )
            for table in TABLES
        ]
        for view in views:
            WarehouseView(self, f"View{_id(view.name)}", view=view, database=database, database_name=database_name)
        self.crawler_name: str = self._crawler(f"spotify-etl-{stage}", warehouse, crawler_schedule)
        self.workgroup_name: str = self._workgroup(workgroup_name, results, scan_cutoff_bytes)
        for query in queries:
            athena.CfnNamedQuery(
                self,
                f"Query{_id(query.name)}",
                name=query.name,
                description=query.question,
                database=self.database_name,
                work_group=self.workgroup_name,
                query_string=query.sql,
            )
        CfnOutput(self, "DatabaseName", value=self.database_name)
        CfnOutput(self, "WorkgroupName", value=self.workgroup_name)
        CfnOutput(self, "CrawlerName", value=self.crawler_name)

    def _workgroup(self, name: str, results: s3.IBucket, scan_cutoff_bytes: int) -> str:
        workgroup = athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=name,
            description="Questions to the warehouse; its settings hold whatever a client asks for",
            state="ENABLED",
            # Else a workgroup that has ever run a query cannot be deleted.
            recursive_delete_option=True,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=scan_cutoff_bytes,
                engine_version=athena.CfnWorkGroup.EngineVersionProperty(
                    selected_engine_version="Athena engine version 3"
                ),
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{results.bucket_name}/{RESULTS_PREFIX}",
                    expected_bucket_owner=Aws.ACCOUNT_ID,
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_S3"
                    ),
                ),
            ),
        )
        return workgroup.ref

    def _crawler(self, name: str, warehouse: s3.IBucket, schedule: str | None) -> str:
        role = iam.Role(
            self,
            "CrawlerRole",
            description="What the crawler may do",
            assumed_by=iam.ServicePrincipal("glue.amazonaws.com"),
        )
        for statement in self._crawler_grants(warehouse):
            role.add_to_policy(statement)
        acknowledge_prefixes(role, bucket=warehouse, prefixes=[table_prefix(table) for table in TABLES])
        acknowledge_resource(
            role,
            self.format_arn(service="logs", resource=f"{_CRAWLER_LOGS}:*"),
            reason="The star stands for the log streams of one log group, which Glue names",
        )
        crawler = glue.CfnCrawler(
            self,
            "Crawler",
            name=name,
            description="Registers the years of the tables and logs columns that differ",
            role=role.role_arn,
            targets=glue.CfnCrawler.TargetsProperty(
                catalog_targets=[
                    glue.CfnCrawler.CatalogTargetProperty(
                        database_name=self.database_name, tables=[table.name for table in self._tables]
                    )
                ]
            ),
            # Tables in the catalog are all that a crawler over them may log about, never delete:
            # https://docs.aws.amazon.com/glue/latest/dg/crawler-configuration.html
            schema_change_policy=glue.CfnCrawler.SchemaChangePolicyProperty(
                update_behavior="LOG", delete_behavior="LOG"
            ),
            recrawl_policy=glue.CfnCrawler.RecrawlPolicyProperty(recrawl_behavior="CRAWL_EVERYTHING"),
            schedule=None if schedule is None else glue.CfnCrawler.ScheduleProperty(schedule_expression=schedule),
        )
        acknowledge(
            crawler,
            "AwsSolutions-GL1",
            reason="A security configuration would encrypt the crawlers' log group with a key of its own, at a dollar "
            "a month for each stage. CloudWatch encrypts it as it is, and it tells of tables and years, not of content",
        )
        # The crawler is refused if Glue cannot assume the role with its rights in place.
        crawler.node.add_dependency(role)
        return crawler.ref

    def _crawler_grants(self, warehouse: s3.IBucket) -> list[iam.PolicyStatement]:
        """What AWSGlueServiceRole gives, narrowed to these tables, their objects and the crawlers' log group."""

        def catalog(resource: str, name: str | None = None) -> str:
            return self.format_arn(service="glue", resource=resource, resource_name=name)

        tables = [catalog("table", f"{self.database_name}/{table.name}") for table in self._tables]
        return [
            iam.PolicyStatement(
                sid="ReadTablesAndRegisterYears",
                actions=[
                    "glue:BatchCreatePartition",
                    "glue:BatchGetPartition",
                    "glue:BatchUpdatePartition",
                    "glue:CreatePartition",
                    "glue:GetDatabase",
                    "glue:GetPartition",
                    "glue:GetPartitions",
                    "glue:GetTable",
                    "glue:GetTables",
                    "glue:UpdatePartition",
                ],
                resources=[catalog("catalog"), catalog("database", self.database_name), *tables],
            ),
            grants.on_objects(
                "ReadTableObjects",
                actions=["s3:GetObject"],
                bucket=warehouse,
                prefixes=[table_prefix(table) for table in TABLES],
            ),
            iam.PolicyStatement(
                sid="ListTableObjects",
                actions=["s3:GetBucketLocation", "s3:ListBucket"],
                resources=[warehouse.bucket_arn],
            ),
            iam.PolicyStatement(
                sid="WriteLogs",
                actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[
                    self.format_arn(service="logs", resource=_CRAWLER_LOGS),
                    self.format_arn(service="logs", resource=f"{_CRAWLER_LOGS}:*"),
                ],
            ),
        ]
