"""Tests mirror the rooms; whole-product tests stand beside them."""
