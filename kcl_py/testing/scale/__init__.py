"""What do the planner and the table protocol do at sizes that no test machine has?"""
