"""The commands of ``jaxloss``, one module each: from words to settings, then to `jaxloss.runs`."""
