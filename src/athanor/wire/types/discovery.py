"""Types of io.k8s.api.discovery.v1.

The format is described in `table.py`.
"""

TEXT = """\
Endpoint: addresses!:[s]u conditions:EndpointConditions deprecatedTopology:<s> hints:EndpointHints
 hostname:s nodeName:s targetRef:core.ObjectReference zone:s
EndpointConditions: ready:b serving:b terminating:b
EndpointHints: forNodes:[ForNode]a forZones:[ForZone]a
EndpointPort@: appProtocol:s name:s port:i protocol:s(SCTP|TCP|UDP)
EndpointSlice: addressType!:s(FQDN|IPv4|IPv6) apiVersion:s endpoints:[Endpoint]a kind:s
 metadata:meta.ObjectMeta ports:[EndpointPort]a
ForNode: name!:s
ForZone: name!:s
"""
