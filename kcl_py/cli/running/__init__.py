"""How do workers and an engine run on this machine, one process or several?"""
