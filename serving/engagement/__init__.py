"""How customers are engaged, who stands where, and what suits each of them."""
