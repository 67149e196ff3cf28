"""Strict reading of agent.yaml: reports every problem at once, each with its place."""

from agent.config.load import Config, ConfigError, find, load
from files.problems import Problem

__all__ = ["Config", "ConfigError", "Problem", "find", "load"]
