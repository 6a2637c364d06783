"""What the built-in kinds and their most used fields mean, in our own short words.

`kubectl explain` shows these. A line is `table.Type Words.` or, indented below it, `field Words.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

COMMON: Mapping[str, str] = {
    "apiVersion": "Group and version of the API this object is written in.",
    "kind": "What sort of object this is.",
    "metadata": "Name, identity, labels and versions.",
}
"""Fields that mean the same wherever they stand."""

TEXT = """\
core.Pod Containers that share a node, a network and volumes, and live and die together.
 spec What to run, and where it may run. Mostly fixed once the pod exists.
 status How the pod is, as its node reports it.
core.PodSpec What a pod is to run.
 activeDeadlineSeconds Seconds after its start at which the pod is ended and counts as failed.
 affinity Rules that draw the pod to nodes and other pods, or keep it away from them.
 automountServiceAccountToken Whether containers find an API token in their file system.
 containers The containers that make up the pod; at least one.
 dnsPolicy How names are resolved inside the pod.
 enableServiceLinks Whether services of the namespace appear as environment variables.
 hostAliases Extra lines for the pod's hosts file.
 hostNetwork Whether the pod uses its node's network directly.
 hostname The pod's host name; its own name by default.
 imagePullSecrets Secrets with the credentials for pulling images.
 initContainers Containers that run one after the other before the others start; with \
restartPolicy Always one keeps running beside them (a sidecar).
 nodeName The node that runs the pod; set by a scheduler.
 nodeSelector Labels a node must have to run the pod.
 preemptionPolicy Whether this pod may push out others of lower priority.
 priority The number its priority class stands for.
 priorityClassName The class that says how important the pod is.
 readinessGates Conditions that must hold, besides ready containers, for the pod to be ready.
 restartPolicy When containers that ended are started again: Always, OnFailure or Never.
 schedulerName The scheduler that is to place the pod.
 schedulingGates As long as there are any, the pod is not scheduled.
 securityContext User, groups and privileges all containers start with.
 serviceAccountName The identity the pod's processes have towards the API.
 shareProcessNamespace Whether the containers see each other's processes.
 subdomain With it the pod is reachable as hostname.subdomain inside its namespace.
 terminationGracePeriodSeconds Seconds processes have to end after they were asked to.
 tolerations Taints of nodes the pod puts up with.
 topologySpreadConstraints How pods are to be spread over zones, racks and the like.
 volumes What containers can mount.
core.PodStatus The state of a pod, as last seen.
 conditions Single observations: scheduled, initialized, containers ready, ready.
 containerStatuses One entry a container: waiting, running or terminated.
 hostIP Address of the pod's node.
 initContainerStatuses One entry an init container.
 message Why the pod is in this state, in words.
 phase The summary: Pending, Running, Succeeded, Failed or Unknown.
 podIP The pod's own address.
 podIPs All of the pod's addresses.
 qosClass What its requests and limits make of it: Guaranteed, Burstable or BestEffort.
 reason Why the pod is in this state, in one word.
 startTime When its node took the pod on.
core.Container One program of a pod, with its image, environment and resources.
 args Arguments of the command; $(NAME) stands for an environment variable.
 command The program and its first arguments; the image's own when left out.
 env Environment variables, in order.
 envFrom Config maps and secrets whose every key becomes a variable.
 image Where the file system and program come from.
 imagePullPolicy When the image is fetched: Always, IfNotPresent or Never.
 lifecycle What to run right after the start and before the end.
 livenessProbe How to find out that the container hangs and must be restarted.
 name The container's name, unique in its pod.
 ports Ports it listens on; for people, and for names in services.
 readinessProbe How to find out that it can take requests.
 resizePolicy Whether a change of resources restarts it.
 resources What it asks for at least, and what it may use at most.
 restartPolicy Of an init container: Always makes it a sidecar.
 securityContext User and privileges of this container alone.
 startupProbe How to find out that it has started; the other probes wait for it.
 stdin Whether its standard input stays open.
 terminationMessagePath The file whose content becomes the message of its end.
 tty Whether it gets a terminal.
 volumeMounts Where volumes appear in its file system.
 workingDir The directory it starts in.
core.ContainerPort A port a container listens on.
 containerPort The number of the port.
 hostPort The port of the node that leads to it.
 name What services may call it.
 protocol TCP, UDP or SCTP.
core.EnvVar One environment variable.
 name The variable's name.
 value Its value; $(NAME) stands for variables defined before.
 valueFrom Where the value comes from instead.
core.EnvVarSource Where a variable's value comes from; exactly one of these.
core.ResourceRequirements Requests and limits, by resource name.
 limits The most that may be used.
 requests The least that must be free; what scheduling counts.
core.Probe A check that is repeated.
 exec A command; it succeeds with exit code 0.
 failureThreshold Failures in a row that count.
 grpc A gRPC health check.
 httpGet A request; it succeeds with a code from 200 to 399.
 initialDelaySeconds Seconds to wait before the first check.
 periodSeconds Seconds between checks.
 successThreshold Successes in a row that count after a failure.
 tcpSocket A port; opening it is success.
 timeoutSeconds Seconds after which a check has failed.
core.VolumeMount A volume's place in a container.
 mountPath The directory it appears at.
 name The volume's name in the pod.
 readOnly Whether it cannot be written.
 subPath A directory inside the volume to mount instead of its root.
core.Volume A directory that containers can mount; one kind of source.
 configMap Keys of a config map as files.
 downwardAPI Facts about the pod itself as files.
 emptyDir A scratch directory that goes with the pod.
 hostPath A file or directory of the node.
 name What mounts call it.
 persistentVolumeClaim Storage that outlives the pod.
 projected Several sources in one directory.
 secret Keys of a secret as files.
core.Toleration A taint the pod puts up with.
 effect The taint's effect; every effect when empty.
 key The taint's key; every key when empty.
 operator Exists, or Equal with a value.
 tolerationSeconds For NoExecute: how long the pod stays.
 value The taint's value.
core.ContainerStatus How one container is.
 lastState The state before the last restart.
 ready Whether it can take requests.
 restartCount How often it was started again.
 state What it does now: waiting, running or terminated.
core.ContainerStateTerminated How a container ended.
 exitCode The program's exit code.
 reason One word: Completed, Error, OOMKilled and so on.
 signal The signal that ended it.
core.Node A machine that runs pods.
 spec What is wanted of the node.
 status What the node has, and how it is.
core.NodeSpec What is wanted of a node.
 taints Marks that keep pods away that do not tolerate them.
 unschedulable Whether new pods stay away.
core.NodeStatus What a node has, and how it is.
 addresses Where it is reached.
 allocatable What pods can have of its capacity.
 capacity All that it has.
 conditions Ready, and what may be wrong: memory, disk, processes, network.
 nodeInfo Versions and names of its system.
core.Taint A mark that keeps pods away.
 effect NoSchedule, PreferNoSchedule or NoExecute.
core.Namespace A room for names: objects in it are apart from those in others.
core.Service A stable name and address for a changing set of pods.
 spec Which pods, which ports, and how they are reached.
core.ServiceSpec How a service leads to its pods.
 clusterIP Its address inside the cluster; None for names only.
 externalName The name it stands for, of type ExternalName.
 ports The ports it offers, and where they lead.
 selector Labels of the pods behind it.
 sessionAffinity ClientIP keeps a client with one pod.
 type ClusterIP, NodePort, LoadBalancer or ExternalName.
core.ServicePort One port of a service.
 nodePort The port of every node that leads to it.
 port The port of the service.
 targetPort The pods' port, by number or name.
core.Endpoints The addresses behind a service, in the old form.
core.ConfigMap Settings, as text by key.
 binaryData Bytes by key, in base64.
 data Text by key.
 immutable Whether the data can never change again.
core.Secret Small confidential data by key.
 data Bytes by key, in base64.
 immutable Whether the data can never change again.
 stringData Text by key; only written, it becomes data.
 type What it is for; some types demand certain keys.
core.ServiceAccount An identity for programs.
core.Event Something that happened to an object; kept for a while.
 count How often it happened.
 involvedObject What it happened to.
 message What happened, in words.
 reason What happened, in one word.
 type Normal or Warning.
core.PersistentVolumeClaim Somebody's wish for storage, and the volume that fulfils it.
core.PersistentVolumeClaimSpec What storage is wanted.
 accessModes How it is to be mounted: ReadWriteOnce and so on.
 resources How large it must be.
 storageClassName The class that provides it; "" for none.
 volumeName The volume that fulfils the claim.
core.PersistentVolume A piece of storage.
core.ResourceQuota Limits on all of a namespace together.
core.ResourceQuotaSpec What is limited, and where.
 hard The most of every resource.
 scopeSelector Which objects count, by expressions.
 scopes Which objects count.
core.LimitRange Limits and defaults for single objects of a namespace.
core.Binding Puts a pod on a node.
core.PodTemplate A pattern for pods.
core.PodTemplateSpec The pods that are made: metadata and spec.
core.SecurityContext Privileges of one container.
 privileged Whether it has nearly all rights of the node's root.
 readOnlyRootFilesystem Whether only its volumes can be written.
 runAsGroup The group its processes run as.
 runAsNonRoot Whether starting as root is refused.
 runAsUser The user its processes run as.
core.PodSecurityContext Privileges of all containers of a pod.
 fsGroup The group that owns the volumes' files.
 runAsUser The user processes run as.
meta.ObjectMeta What all objects carry: name, identity, labels, versions.
 annotations Data for tools and people, by key; not for selecting.
 creationTimestamp When the object was created.
 deletionGracePeriodSeconds Seconds the object has to end.
 deletionTimestamp When it was asked to go; it goes once its finalizers are done.
 finalizers Who must clean up before the object may go.
 generateName A prefix; the server adds five characters to make the name.
 generation Counts changes of what is wanted.
 labels Facts to select by, by key.
 managedFields Who manages which fields; kept by the server.
 name The object's name, unique for its kind in its namespace.
 namespace The room the name is unique in.
 ownerReferences Objects this one goes with when they are deleted.
 resourceVersion The version of this object; a write that names it fails if it is outdated.
 uid Unique over all time.
meta.LabelSelector Selects by labels; all parts must hold.
 matchExpressions Requirements with the operators In, NotIn, Exists, DoesNotExist.
 matchLabels Labels and their values.
meta.OwnerReference An object this one belongs to.
 blockOwnerDeletion Whether the owner waits for this object when deleted in the foreground.
 controller Whether it is the one that manages this object.
meta.Condition One observation of an object's state.
 reason Why, in one word.
 status True, False or Unknown.
 type What is observed.
coordination.Lease A lock with an end: who holds it must renew it.
coordination.LeaseSpec Who holds a lease, and for how long.
 holderIdentity Who holds it.
 leaseDurationSeconds Seconds after the last renewal at which others may take it.
 renewTime When it was last renewed.
events.Event Something that happened to an object; kept for a while.
 note What happened, in words.
 regarding What it happened to.
discovery.EndpointSlice Some of the addresses behind a service.
scheduling.PriorityClass A name for a priority.
 globalDefault Whether pods without a class get this one.
 preemptionPolicy Whether pods of the class may push out others.
 value The number; the higher, the more important.
storage.StorageClass A sort of storage, and who provides it.
 provisioner Who makes volumes of this class.
 reclaimPolicy What becomes of a volume when its claim is gone.
 volumeBindingMode Whether volumes are made at once or when a pod needs them.
rbac.Role Rights inside one namespace.
 rules Who has the role may do all of these.
rbac.ClusterRole Rights everywhere, or for RoleBindings to give in one namespace.
 aggregationRule Other cluster roles whose rules this one collects.
 rules Who has the role may do all of these.
rbac.RoleBinding Gives a role to people and programs in one namespace.
rbac.ClusterRoleBinding Gives a cluster role to people and programs everywhere.
rbac.PolicyRule Verbs allowed on resources.
 apiGroups Groups of the resources; "" is the core group.
 nonResourceURLs Paths such as /metrics; cluster roles only.
 resourceNames Only objects of these names.
 resources Kinds in the plural, with /subresource; * is all.
 verbs get, list, watch, create, update, patch, delete and so on; * is all.
rbac.Subject Somebody who is given a role.
authentication.TokenReview Asks whose token this is.
authentication.TokenRequest Asks for a token of a service account.
authentication.SelfSubjectReview Asks who the caller is.
authorization.SubjectAccessReview Asks whether somebody may do something.
authorization.LocalSubjectAccessReview Asks the same, inside one namespace.
authorization.SelfSubjectAccessReview Asks whether the caller may do something.
authorization.SelfSubjectRulesReview Asks what the caller may do in a namespace.
apiextensions.CustomResourceDefinition Adds a kind of object to this API.
apiextensions.CustomResourceDefinitionSpec What the new kind is called, and what it looks like.
 group The API group of the kind.
 names Kind, plural, short names and categories.
 scope Namespaced or Cluster.
 versions Every version with its schema; one of them is stored.
apiextensions.CustomResourceDefinitionVersion One version of a kind.
 additionalPrinterColumns Columns of kubectl get.
 schema What objects must look like; unknown fields are dropped.
 selectableFields Fields that field selectors may name.
 served Whether this version can be used.
 storage Whether objects are stored in this version; true for exactly one.
 subresources Whether status is written apart, and whether the kind scales.
apiregistration.APIService A group and version that another server answers for.
policy.Eviction Asks a pod to go, politely.
autoscaling.Scale How many replicas something has and is to have.
batch.Job Runs pods until enough of them succeed.
batch.CronJob Makes a job on a schedule.
"""


@cache
def words() -> dict[str, str]:
    """The words of every type (`core.Pod`) and field (`core.Pod.spec`)."""
    found: dict[str, str] = {}
    type_ = ""
    for line in TEXT.splitlines():
        name, _, said = line.strip().partition(" ")
        if line.startswith(" "):
            found[f"{type_}.{name}"] = said
        else:
            type_ = name
            found[type_] = said
    return found
