"""What can be done with streams and the records in them?"""
