"""The command ``paddock``: it turns arguments into calls and errors into exit codes, and owns nothing else."""
