"""The domain: charts, raw documents, table schemas and merge rules. Free of AWS; its adapters are in `adapters`."""
