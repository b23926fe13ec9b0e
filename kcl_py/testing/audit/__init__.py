"""Did real workers keep the promises? Judged from the logs that they wrote."""
