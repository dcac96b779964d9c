"""How customers are engaged, who stands where, and what suits each: measures, axes, stages, playbook, hooks."""
