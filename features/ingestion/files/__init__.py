"""Files that DuckDB cannot read, rewritten so that it can: Excel, Avro and text in other encodings."""
