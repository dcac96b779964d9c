"""A subscription service with a shop whose truth is known: customers, what they do, and why they leave."""
