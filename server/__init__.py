"""The show: who may do what, what is said, what is sold."""
