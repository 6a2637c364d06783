"""The labels and annotations by which controllers, agents and people find each other's things."""

from __future__ import annotations

from athanor.api.meta import GROUP

GANG = f"{GROUP}/gang"
POD_SET = f"{GROUP}/pod-set"
RANK = f"{GROUP}/rank"
"""Index within the pod set."""
ATTEMPT = f"{GROUP}/attempt"
"""Which run of the gang: its owner's attempt plus how often it lost its admission."""
RANK_ATTEMPT = f"{GROUP}/rank-attempt"
JOB = f"{GROUP}/job"

CRON = f"{GROUP}/cron"
"""Label: the Cron that made it."""
SCHEDULED_AT = f"{GROUP}/scheduled-at"
"""Annotation: for which time of its Cron it was made."""

SWEEP = f"{GROUP}/sweep"
"""Label: the Sweep that made it."""
TRIAL = f"{GROUP}/trial"
"""Annotation: number of the trial in its Sweep."""
PARAMETERS = f"{GROUP}/parameters"
"""Annotation: the trial's parameters as JSON."""

QUEUE = f"{GROUP}/queue"
"""Label of a Namespace: the queue of those who work there."""
TEAM = f"{GROUP}/team"

DEVICES = f"{GROUP}/devices"
"""Annotation: device ids on the node, "0,1"."""
USER = f"{GROUP}/user"
"""Annotation: who submitted it."""
PROGRESS = f"{GROUP}/progress"
"""Annotation: what the rank says of itself, a Progress as JSON; written by the node's agent."""
CHECKPOINT_REQUESTED = f"{GROUP}/checkpoint-requested"
"""Annotation: since when the rank is asked for a checkpoint; the agent shows it to the rank."""
CHECKPOINT_BY = f"{GROUP}/checkpoint-by"
"""Annotation: until when the rank may write that checkpoint; then it is stopped."""

REQUIREMENTS = f"{GROUP}/requirements"
"""Annotation: pip requirements, one a line, that the agent lays over the pod's environment."""
RETRIES = f"{GROUP}/retries"
"""Annotation of a job's Gang: how many retries its attempts have used up."""
RESTARTS = f"{GROUP}/restarts"
"""Annotation of a job's Gang: how many restarts by hand it has seen."""
SHAPE = f"{GROUP}/shape"
"""Annotation of a job's Gang: a digest of what its pods were made from."""
