"""`python -m athanor.local.agent`."""

from athanor.local.agent.main import run

if __name__ == "__main__":
    run()
