"""The catalog says of the tables what the core does."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

from lambdas.core.charts import FIRST_YEAR, is_plausible, last_year
from lambdas.core.keys import chart_year_key, dimension_key, table_prefix
from lambdas.core.queries import read_queries
from lambdas.core.schema import TABLES, Table
from lambdas.core.views import read_views
from stacks.catalog import CatalogStack
from stacks.config import load_stages
from tests.infra.templates import PROJECT, Resource, Synthesis, Template, one, resources, synthesize, text_of


def _glue_tables(template: Template, table_type: str = "EXTERNAL_TABLE") -> dict[str, Resource]:
    return {
        held["Properties"]["TableInput"]["Name"]: held["Properties"]["TableInput"]
        for held in resources(template, "AWS::Glue::Table").values()
        if held["Properties"]["TableInput"]["TableType"] == table_type
    }


def _location(table: Table, glue: Resource) -> str:
    location = text_of(glue["StorageDescriptor"]["Location"])
    bucket, slash, prefix = location.removeprefix("s3://").partition("/")
    assert "WarehouseBucket" in bucket
    assert slash + prefix == f"/{table_prefix(table)}"
    return bucket


def test_glue_has_the_tables_and_columns_of_the_schema_and_no_others(synthesis: Synthesis) -> None:
    for _, template in synthesis.of("catalog"):
        glue = _glue_tables(template)
        assert set(glue) == {table.name for table in TABLES}
        for table in TABLES:
            assert [
                (column["Name"], column["Type"], column["Comment"])
                for column in glue[table.name]["StorageDescriptor"]["Columns"]
            ] == [(column.name, column.type.value, column.meaning) for column in table.columns]
            partitions = [(key["Name"], key["Type"]) for key in glue[table.name]["PartitionKeys"]]
            assert partitions == ([("year", "string")] if table.by_year else [])
            assert glue[table.name]["TableType"] == "EXTERNAL_TABLE"
            assert "ParquetHiveSerDe" in glue[table.name]["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]


def test_every_view_is_in_the_catalog_as_trino_reads_one(synthesis: Synthesis) -> None:
    views = {view.name: view for view in read_views(PROJECT / "queries" / "views")}
    assert views
    for config, template in synthesis.of("catalog"):
        glue = _glue_tables(template, "VIRTUAL_VIEW")
        assert set(glue) == set(views)
        for name, held in glue.items():
            assert held["Parameters"]["presto_view"] == "true"
            assert held["ViewExpandedText"] == "/* Presto View */"
            coded = re.fullmatch(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", held["ViewOriginalText"])
            assert coded
            definition = json.loads(base64.b64decode(coded[1]))
            assert definition["originalSql"] == views[name].original_sql
            assert (definition["catalog"], definition["schema"]) == ("awsdatacatalog", f"spotify_{config.stage}")
            assert [column["name"] for column in definition["columns"]] == [c.name for c in views[name].columns]
            storage = held["StorageDescriptor"]
            assert [(column["Name"], column["Type"]) for column in storage["Columns"]] == [
                (column.name, column.type.value) for column in views[name].columns
            ]
            assert storage["SerdeInfo"], "Trino's reader refuses a table of Glue's without"
            assert "Location" not in storage, "a crawler or a reader of files would follow it"


def test_meanings_fit_into_glues_comments() -> None:
    for table in TABLES:
        assert len(table.meaning) < 1500
        assert all(len(column.meaning) <= 255 for column in table.columns)


def test_the_projection_covers_every_key_the_transform_can_write(synthesis: Synthesis) -> None:
    today = datetime.now(UTC).date()
    writable = [year for year in range(1900, 2200) if is_plausible(date(year, 7, 1), today=today)]
    assert (writable[0], writable[-1]) == (FIRST_YEAR, last_year(today))
    for _, template in synthesis.of("catalog"):
        glue = _glue_tables(template)
        for table in TABLES:
            parameters = glue[table.name]["Parameters"]
            bucket = _location(table, glue[table.name])
            if not table.by_year:
                assert "projection.enabled" not in parameters
                assert dimension_key(table).startswith(table_prefix(table))
                continue
            projected = _projected_locations(parameters, today)
            assert set(projected) == set(writable)
            for year in writable:
                key = chart_year_key(table, "regional-global-daily", year)
                assert f"s3://{bucket}/{key}".startswith(projected[year])


def test_a_location_is_of_one_year_and_one_table_only(synthesis: Synthesis) -> None:
    template = synthesis.templates["dev", "catalog"]
    today = datetime.now(UTC).date()
    locations = [
        location
        for glue in _glue_tables(template).values()
        if "projection.enabled" in glue["Parameters"]
        for location in _projected_locations(glue["Parameters"], today).values()
    ]
    assert len(set(locations)) == len(locations)
    assert not [(a, b) for a in locations for b in locations if a != b and a.startswith(b)]


def _projected_locations(parameters: Resource, today: date) -> dict[int, str]:
    """What Athena makes of the projection, by year.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html#partition-projection-date-type
    """
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.year.type"] == "date"
    assert parameters["projection.year.format"] == "yyyy"
    assert (parameters["projection.year.interval"], parameters["projection.year.interval.unit"]) == ("1", "YEARS")
    found = re.fullmatch(r"(\d{4}),NOW\+(\d+)YEARS", parameters["projection.year.range"])
    assert found
    template = text_of(parameters["storage.location.template"])
    assert template.count("${year}") == 1
    assert template.endswith("/")
    return {
        year: template.replace("${year}", str(year)) for year in range(int(found[1]), today.year + int(found[2]) + 1)
    }


def test_the_crawler_looks_at_all_tables_on_demand_and_changes_none(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("catalog"):
        crawler = one(template, "AWS::Glue::Crawler")
        assert crawler["SchemaChangePolicy"] == {"DeleteBehavior": "LOG", "UpdateBehavior": "LOG"}
        assert "Schedule" not in crawler, "no stage that we ship crawls unasked"
        (target,) = crawler["Targets"]["CatalogTargets"]
        assert len(target["Tables"]) == len(TABLES)
        assert one(template, "AWS::Glue::Database")["DatabaseInput"]["Name"] == f"spotify_{config.stage}"


def test_a_crawler_runs_by_a_schedule_that_is_given(tmp_path: Path) -> None:
    made = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False, analytics_reporting=False)
    buckets = cdk.Stack(made, "Buckets")
    CatalogStack(
        made,
        "Catalog",
        stack_name="catalog",
        env=cdk.Environment(),
        termination_protection=False,
        stage="dev",
        database_name="spotify_dev",
        workgroup_name="spotify-dev",
        warehouse=s3.Bucket(buckets, "Warehouse"),
        results=s3.Bucket(buckets, "Results"),
        scan_cutoff_bytes=10_000_000,
        crawler_schedule="cron(0 4 ? * MON *)",
        queries=[],
    )
    made.synth()
    template = json.loads((tmp_path / "Catalog.template.json").read_text("utf-8"))
    assert one(template, "AWS::Glue::Crawler")["Schedule"] == {"ScheduleExpression": "cron(0 4 ? * MON *)"}


def test_the_crawlers_schedule_is_what_the_stage_says(tmp_path: Path) -> None:
    made = synthesize(tmp_path, load_stages({"dev": {"crawler_schedule": "cron(0 4 ? * MON *)"}}))
    crawler = one(made.templates["dev", "catalog"], "AWS::Glue::Crawler")
    assert crawler["Schedule"] == {"ScheduleExpression": "cron(0 4 ? * MON *)"}


def test_the_workgroup_enforces_encryption_engine_and_a_cut_off_and_can_be_deleted(synthesis: Synthesis) -> None:
    for config, template in synthesis.of("catalog"):
        workgroup = one(template, "AWS::Athena::WorkGroup")
        settings = workgroup["WorkGroupConfiguration"]
        assert settings["EnforceWorkGroupConfiguration"] is True
        assert settings["BytesScannedCutoffPerQuery"] == config.athena_scan_cutoff_bytes
        assert settings["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
        assert settings["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
        assert "ResultsBucket" in text_of(settings["ResultConfiguration"]["OutputLocation"])
        assert workgroup["RecursiveDeleteOption"] is True


def test_every_question_is_a_named_query_in_the_stages_workgroup(synthesis: Synthesis) -> None:
    questions = {query.name: query.sql for query in read_queries(PROJECT / "queries")}
    for _, template in synthesis.of("catalog"):
        named = {
            held["Properties"]["Name"]: held["Properties"]
            for held in resources(template, "AWS::Athena::NamedQuery").values()
        }
        assert {name: held["QueryString"] for name, held in named.items()} == questions
        for held in named.values():
            assert (held["WorkGroup"], held["Database"]) == ({"Ref": "Workgroup"}, {"Ref": "Database"})
