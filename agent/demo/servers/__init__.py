"""Database servers that run as an ordinary account on loopback: for the demo, and for the tests."""
