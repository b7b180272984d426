"""A view over the warehouse's tables in the Glue Data Catalog, as Athena's CREATE VIEW would write it."""

from __future__ import annotations

import base64
import json

from aws_cdk import Aws
from aws_cdk import aws_glue as glue
from constructs import Construct

from lambdas.core.views import TRINO_TYPES, View

_CATALOG = "awsdatacatalog"


def presto_view(view: View, *, database: str) -> str:
    """The view's text in Glue: Trino's definition of it, coded as its `ViewReaderUtil` reads it.

    `database` is where its SQL finds tables that it names alone; the coding leaves no room for a reference.
    """
    definition = {
        "originalSql": view.original_sql,
        "catalog": _CATALOG,
        "schema": database,
        "columns": [{"name": column.name, "type": TRINO_TYPES[column.type]} for column in view.columns],
    }
    coded = base64.b64encode(json.dumps(definition, ensure_ascii=False).encode()).decode()
    return f"/* Presto View: {coded} */"


class WarehouseView(Construct):
    """A view with its columns and their meanings. It has no location: no crawler reads it, and no grant is its own.

    CloudFormation does not read its SQL, and nothing holds the order in which views and tables are made: a view is
    resolved when it is asked.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, view: View, database: glue.CfnDatabase, database_name: str
    ) -> None:
        super().__init__(scope, construct_id)
        glue.CfnTable(
            self,
            "View",
            catalog_id=Aws.ACCOUNT_ID,
            database_name=database.ref,
            table_input=glue.CfnTable.TableInputProperty(
                name=view.name,
                description=view.meaning,
                table_type="VIRTUAL_VIEW",
                parameters={"presto_view": "true", "comment": "Presto View"},
                view_original_text=presto_view(view, database=database_name),
                view_expanded_text="/* Presto View */",
                partition_keys=[],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    columns=[
                        glue.CfnTable.ColumnProperty(name=column.name, type=column.type.value, comment=column.meaning)
                        for column in view.columns
                    ],
                    # Trino's reader of Glue's tables wants it, though a view has none, and CDK drops an empty one.
                    serde_info=glue.CfnTable.SerdeInfoProperty(parameters={"serialization.format": "1"}),
                ),
            ),
        )
