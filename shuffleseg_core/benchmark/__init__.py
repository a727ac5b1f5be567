"""How long models take on this machine, against each other and against what it can do."""
