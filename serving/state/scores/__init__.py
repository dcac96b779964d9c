"""The scores of all customers at one date: their columns, their file, and which files are in use."""
