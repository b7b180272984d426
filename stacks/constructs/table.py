"""A table of the warehouse in the Glue Data Catalog."""

from __future__ import annotations

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3 as s3
from constructs import Construct

from lambdas.core.charts import FIRST_YEAR, YEARS_AHEAD
from lambdas.core.keys import table_prefix, year_prefix
from lambdas.core.schema import YEAR_PARTITION, Column, Table

_YEAR = "${" + YEAR_PARTITION.name + "}"


def table_parameters(table: Table, *, bucket_name: str) -> dict[str, str]:
    """The Glue table's parameters.

    A table by year is projected: Athena works out its partitions from these instead of asking the catalog, so a new
    year needs no crawl: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html.
    """
    parameters = {"classification": "parquet", "EXTERNAL": "TRUE"}
    if table.by_year:
        column = f"projection.{YEAR_PARTITION.name}"
        parameters |= {
            "projection.enabled": "true",
            f"{column}.type": "date",
            f"{column}.format": "yyyy",
            f"{column}.range": f"{FIRST_YEAR},NOW+{YEARS_AHEAD}YEARS",
            f"{column}.interval": "1",
            f"{column}.interval.unit": "YEARS",
            "storage.location.template": f"s3://{bucket_name}/{year_prefix(table, _YEAR)}",
        }
    return parameters


class WarehouseTable(Construct):
    """A table as the core's schema has it: columns, their meanings, its location in the warehouse bucket.

    Attribute: `name`, the table's name as a reference, so that what uses it waits for it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        table: Table,
        database: glue.CfnDatabase,
        warehouse: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        resource = glue.CfnTable(
            self,
            "Table",
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=table.name,
                description=f"{table.meaning} Key: {', '.join(table.key)}.",
                table_type="EXTERNAL_TABLE",
                parameters=table_parameters(table, bucket_name=warehouse.bucket_name),
                partition_keys=[_column(YEAR_PARTITION)] if table.by_year else [],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[_column(column) for column in table.columns],
                    location=f"s3://{warehouse.bucket_name}/{table_prefix(table)}",
                    input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                        parameters={"serialization.format": "1"},
                    ),
                ),
            ),
        )
        self.name: str = resource.ref


def _column(column: Column) -> glue.CfnTable.ColumnProperty:
    return glue.CfnTable.ColumnProperty(name=column.name, type=column.type.value, comment=column.meaning)
