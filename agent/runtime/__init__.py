"""The running agent: scheduler, pipeline, evidence, reporter and maintenance windows."""
