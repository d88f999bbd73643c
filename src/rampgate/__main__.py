"""``python -m rampgate``: the command where its script is not on the path."""

from rampgate.cli import main

if __name__ == "__main__":
    main(prog_name="rampgate")
