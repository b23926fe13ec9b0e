"""What is the simulated world made of? Time, services, processes and user code, without a judge."""
