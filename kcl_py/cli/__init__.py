"""What can be done from a shell? A room for each kind of thing, a file for each command in it.

The files beside the rooms are how a command begins, what all of them share, and what is known of
each before it is made (`catalogue`).
"""
