"""Strict reading of agent.yaml: reports every problem at once, each with its place."""

from agent.config.load import Config, find, load
from agent.config.problems import ConfigError, Problem

__all__ = ["Config", "ConfigError", "Problem", "find", "load"]
