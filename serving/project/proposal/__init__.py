"""The proposal of `kizuna init` for files of one's own: which column is what, as a ready `kizuna.toml`."""
