"""`python -m athanor.cli`: the command line without its script."""

from athanor.cli import main

if __name__ == "__main__":
    main()
