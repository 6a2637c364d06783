"""`python -S -E -m …supervisor --run DIR --tag TAG --gateway IP`: the supervisor as a process."""

from athanor.local.agent.supervisor.server import main

if __name__ == "__main__":
    main()
