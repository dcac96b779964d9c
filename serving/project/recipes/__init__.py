"""Recipes: the queries that read exports of other tools, and the `kizuna.toml` made of them."""
