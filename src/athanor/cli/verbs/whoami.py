"""athanor whoami: as whom one works, where, and what for."""

from __future__ import annotations

from athanor.cli import show
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(namespace=True, output=True, examples="athanor whoami\nathanor whoami -o json")
def command(world: World) -> None:
    """Show as whom the server knows you, your namespace and its queue."""
    from athanor.api.registry import Resource

    reviews = Resource(
        group="authentication.k8s.io", version="v1", kind="SelfSubjectReview",
        plural="selfsubjectreviews", namespaced=False,
    )  # fmt: skip
    said = world.client.create(reviews, {})["status"]["userInfo"]
    queue = world.client.home_queue() or "default"
    told = {
        "user": said.get("username", ""), "groups": list(said.get("groups") or []),
        "namespace": world.where, "queue": queue, "kubeconfig": world.kubeconfig,
    }  # fmt: skip
    if world.output in ("json", "yaml"):
        show.document(world, told)
    elif world.output == "name":
        show.line(str(told["user"]))
    else:
        show.line(f"{'user':<11}{told['user']}")
        show.line(f"{'groups':<11}{', '.join(told['groups']) or '-'}")
        show.line(f"{'namespace':<11}{told['namespace']}, queue {queue}")
        show.line(f"{'kubeconfig':<11}{told['kubeconfig']}")
