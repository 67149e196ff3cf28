"""The agent's state folder: files that outlive the process."""
