"""What the kubelet decides, as pure functions: a pod, its containers' runs and the time go in;
actions and the pod's status come out. No I/O, no clock."""
