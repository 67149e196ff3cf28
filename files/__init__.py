"""How files of this machine are read and written, the same for the agent and for the desk.

YAML is read strictly, with every problem named at once and each with its place; what is private
stays with the account that is to use it.
"""
