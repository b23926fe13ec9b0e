"""How does what somebody holds get into a stream, and what became of it?"""
