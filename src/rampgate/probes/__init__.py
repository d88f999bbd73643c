"""The instruments: each looks at one side of a deployment and returns measurements."""
