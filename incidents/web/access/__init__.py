"""Who may ask what, and the answer to everybody else."""
