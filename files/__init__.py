"""Reading and writing of files on this machine, shared by the agent and the desk.

YAML is read strictly, with every problem reported at once; private files belong to the account that
uses them.
"""
