"""The instruments: each measures one side of a deployment and returns measurements."""
