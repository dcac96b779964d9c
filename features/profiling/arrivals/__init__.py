"""Checks of what arrived, before it is scored: stopped sources, odd volumes, columns, kinds, clocks."""
