"""What can be done from a shell? Each file is one command, or one thing that commands share."""
