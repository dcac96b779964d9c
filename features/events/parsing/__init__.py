"""Reading texts as moments and numbers, by whole columns and by evidence."""
