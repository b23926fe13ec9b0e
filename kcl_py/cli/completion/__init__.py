"""What could be typed next? The shell asks while a line is being written."""
