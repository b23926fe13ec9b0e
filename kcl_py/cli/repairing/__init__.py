"""How is an application put right? Commands that change leases, checkpoints, dead letters."""
