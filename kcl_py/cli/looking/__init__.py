"""How is an application, and how is it configured? Commands that change nothing."""
