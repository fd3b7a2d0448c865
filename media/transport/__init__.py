"""Sockets, tasks and clocks of the relay live here and nowhere else."""
