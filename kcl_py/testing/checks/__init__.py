"""What must never happen? One checker for each group of invariants, on true time, from outside."""
