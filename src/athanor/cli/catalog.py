"""All verbs by name, so that help and completion need no verb's module.

A test holds every summary against the verb's own help.
"""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """Where a verb is implemented and how the help lists it."""

    module: str
    section: str
    summary: str


SECTIONS = ("Platform", "Jobs", "Objects", "People and data", "Clusters", "Help")

_PLATFORM, _JOBS, _OBJECTS, _PEOPLE, _CLUSTERS, _HELP = SECTIONS

VERBS: dict[str, Verb] = {
    "up": Verb("up", _PLATFORM, "Start the platform on this machine."),
    "down": Verb("down", _PLATFORM, "Stop the platform on this machine."),
    "status": Verb("status", _PLATFORM, "Show what runs, where, and what is free."),
    "submit": Verb("submit", _JOBS, "Run a command as a (distributed) training job."),
    "list": Verb("list_", _JOBS, "List jobs."),
    "logs": Verb("logs", _JOBS, "Print or follow the log of all ranks of a job."),
    "why": Verb("why", _JOBS, "Explain why a job waits or failed, and what would help."),
    "simulate": Verb(
        "simulate", _JOBS, "Play the cluster forward by its own scheduler, with changes."
    ),
    "watch": Verb("watch", _JOBS, "Watch all jobs, or the ranks of one, until Ctrl-C."),
    "wait": Verb("wait", _JOBS, "Wait until a job has finished, runs, or is gone."),
    "top": Verb("top", _JOBS, "Show who uses what: jobs, nodes, GPUs or queues."),
    "suspend": Verb("suspend", _JOBS, "Stop a job and give its hardware back."),
    "resume": Verb("resume", _JOBS, "Put a suspended job back into its queue."),
    "restart": Verb("restart", _JOBS, "Start all ranks of a job anew, in place."),
    "resize": Verb("resize", _JOBS, "Give a job another number of ranks."),
    "clone": Verb("clone", _JOBS, "Run a job again, under another name and with changes."),
    "move": Verb("move", _JOBS, "Put a waiting or suspended job into another queue."),
    "prioritize": Verb("prioritize", _JOBS, "Give a job another PriorityClass."),
    "exec": Verb("exec_", _JOBS, "Run a command in a rank of a job; its exit code is ours."),
    "attach": Verb(
        "attach", _JOBS, "Follow what a running rank prints from now on, and pass input on."
    ),
    "cp": Verb("cp", _JOBS, "Copy a file or folder to or from a rank of a job."),
    "import": Verb(
        "import_", _JOBS, "Turn jobs of Kubernetes, Kubeflow, Ray, Volcano, T9k into ours."
    ),
    "debug": Verb("debug", _JOBS, "Start a copy of a job whose ranks wait; let them run."),
    "prune": Verb(
        "prune", _JOBS, "Delete jobs that finished a while ago, with their pods and logs."
    ),
    "apply": Verb("apply", _JOBS, "Create the objects of files, or change them into these."),
    "delete": Verb("delete", _JOBS, "Delete jobs, or objects of any kind."),
    "cron": Verb("cron", _JOBS, "Run jobs on a schedule."),
    "sweep": Verb("sweep", _JOBS, "Search for good parameters."),
    "flow": Verb("flow", _JOBS, "Run steps in an order: workflows."),
    "workspace": Verb(
        "workspace", _JOBS, "Development environments that stop when nobody uses them."
    ),
    "get": Verb("get", _OBJECTS, "Show objects of any kind, or one job."),
    "describe": Verb("describe", _OBJECTS, "Show everything about one object, with its events."),
    "events": Verb("events", _OBJECTS, "Show what happened."),
    "queue": Verb("queue", _OBJECTS, "Show, make and change queues, their quota and their use."),
    "pool": Verb("pool", _OBJECTS, "Show, make and change pools of nodes."),
    "reserve": Verb("reserve", _OBJECTS, "Keep capacity for some queues for a time."),
    "whoami": Verb(
        "whoami", _PEOPLE, "Show as whom the server knows you, your namespace and its queue."
    ),
    "user": Verb("user", _PEOPLE, "Add, list or remove people of a shared machine."),
    "kubeconfig": Verb("kubeconfig", _PEOPLE, "Print the kubeconfig, for kubectl and others."),
    "backup": Verb("backup", _PEOPLE, "Write a consistent copy of all objects, while running."),
    "restore": Verb("restore", _PEOPLE, "Put a backup in place of the current objects."),
    "gc": Verb("gc", _PEOPLE, "Delete what nothing needs any more: overlays, logs, leftovers."),
    "install": Verb("install", _CLUSTERS, "Install on a Kubernetes cluster, or upgrade there."),
    "uninstall": Verb("uninstall", _CLUSTERS, "Take the platform off a Kubernetes cluster."),
    "controllers": Verb(
        "controllers", _CLUSTERS, "Run the controllers against a cluster; of several one leads."
    ),
    "gateway": Verb(
        "gateway",
        _CLUSTERS,
        "Run the gateway against a cluster: logs of pods that are gone, uploads, workspaces.",
    ),
    "agent": Verb("agent", _CLUSTERS, "Join a Kubernetes cluster as a node that runs processes."),
    "doctor": Verb("doctor", _HELP, "Check what this machine can do, and what is left over."),
    "completion": Verb("completion", _HELP, "Print the completion script of a shell."),
    "version": Verb("version", _HELP, "Show the versions of client and server."),
}
