"""The supervisor: one tiny process per node that owns every process of every pod.

It runs on the standard library alone (`python -S -E`), in about 13 MB, and outlives restarts of
the node agent: it starts, stops and reaps containers, pumps their output into log files, and
journals exits before it reports them. What should run is the agent's business, not its own.
"""
