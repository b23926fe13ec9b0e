"""What does a processor of yours do when things go wrong? What users test with."""
