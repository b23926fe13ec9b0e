"""Which numbers does a worker tell, in which words, and to whom?"""
