"""Creating, reading, replacing and deleting plain objects; metadata; optimistic concurrency."""

from __future__ import annotations

from tests.conformance.scenario import delete, get, patch, post, put

CMS = "/api/v1/namespaces/{ns}/configmaps"
CM = CMS + "/a"


def _cm(**meta):
    return {"metadata": {"name": "a", **meta}, "data": {"k": "1"}}


def _made(**more):
    return post(CMS, _cm(**more), save={"uid": "metadata.uid", "rv": "metadata.resourceVersion"})


_SUBDOMAIN = (
    "~.*a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'\\.', and must start and end with an alphanumeric character.*"
)

SCENARIOS = {
    "create": [
        post(
            CMS,
            _cm(labels={"l": "x"}),
            see={
                "kind": "ConfigMap",
                "apiVersion": "v1",
                "metadata": {
                    "name": "a",
                    "namespace": "{ns}",
                    "uid": "<uid>",
                    "resourceVersion": "<version>",
                    "creationTimestamp": "<time>",
                    "labels": {"l": "x"},
                    "generation": "<absent>",
                },
                "data": {"k": "1"},
            },
        ),
        get(CM, see={"data": {"k": "1"}}),
    ],
    "create twice": [
        _made(),
        post(
            CMS,
            _cm(),
            code=409,
            message='configmaps "a" already exists',
            see={
                "kind": "Status",
                "status": "Failure",
                "reason": "AlreadyExists",
                "details": {"name": "a", "kind": "configmaps"},
            },
        ),
    ],
    "create ignores what the server decides": [
        post(
            CMS,
            _cm(
                uid="x",
                generation=7,
                creationTimestamp="2020-01-01T00:00:00Z",
                deletionTimestamp="2020-01-01T00:00:00Z",
                selfLink="/x",
            ),
            see={
                "metadata": {
                    "uid": "<uid>",
                    "deletionTimestamp": "<absent>",
                    "selfLink": "<absent>",
                    "creationTimestamp": "~202[6-9].*",
                },
            },
        ),
    ],
    "create with a resourceVersion": [
        post(
            CMS,
            _cm(resourceVersion="1"),
            code=(400, 500),
            message="resourceVersion should not be set on objects to be created",
        ),
    ],
    "create with generateName": [
        post(
            CMS,
            {"metadata": {"generateName": "gen-"}},
            see={
                "metadata": {
                    "generateName": "gen-",
                    "name": "~gen-[bcdfghjklmnpqrstvwxz2456789]{5}",
                }
            },
        ),
    ],
    "create without a name": [
        post(
            CMS,
            {"metadata": {}},
            code=422,
            message='ConfigMap "" is invalid: metadata.name: Required value: name or generateName '
            "is required",
            see={
                "reason": "Invalid",
                "details": {
                    "kind": "ConfigMap",
                    "causes": [{"reason": "FieldValueRequired", "field": "metadata.name"}],
                },
            },
        ),
    ],
    "create in another namespace": [
        post(
            CMS,
            _cm(namespace="other"),
            code=400,
            message="the namespace of the provided object does not match the namespace sent on "
            "the request",
        ),
    ],
    "create in no namespace": [
        post(
            "/api/v1/namespaces/{ns}-none/configmaps",
            _cm(),
            code=404,
            message='namespaces "{ns}-none" not found',
            see={"details": {"name": "{ns}-none", "kind": "namespaces"}},
        ),
    ],
    "create another kind": [
        post(
            CMS,
            {"kind": "Pod", "apiVersion": "v1", **_cm()},
            code=400,
            message='~Pod in version "v1" cannot be handled as a ConfigMap: .*',
        ),
        post(
            CMS,
            {"kind": "ConfigMap", "apiVersion": "v2", **_cm()},
            code=400,
            message='~ConfigMap in version "v2" cannot be handled as a ConfigMap: .*',
        ),
    ],
    "wrong names": [
        post(
            CMS,
            {"metadata": {"name": "A_"}},
            code=422,
            message=_SUBDOMAIN,
            see={
                "details": {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.name"}]}
            },
        ),
        post(
            CMS,
            {"metadata": {"name": "a" * 254}},
            code=422,
            message="~.*must be no more than 253 (bytes|characters).*",
        ),
    ],
    "wrong labels and annotations": [
        post(
            CMS,
            {"metadata": {"name": "a", "labels": {"a": "b c"}, "annotations": {"/x": "1"}}},
            code=422,
            see={
                "details": {
                    "causes": [
                        {
                            "field": "metadata.labels",
                            "message": '~Invalid value: "b c": a valid label .*',
                        },
                        {
                            "field": "metadata.annotations",
                            "message": 'Invalid value: "/x": prefix part must be non-empty',
                        },
                    ]
                }
            },
        ),
        post(
            CMS,
            {"metadata": {"name": "a", "labels": {"a": "x" * 64}}},
            code=422,
            message="~.*must be no more than 63 (bytes|characters).*",
        ),
        post(
            CMS,
            {"metadata": {"name": "a", "annotations": {"big": "x" * 262145}}},
            code=422,
            message="~.*metadata.annotations: Too long: may not be more than 262144 bytes.*",
        ),
    ],
    "wrong finalizers and owners": [
        post(
            CMS,
            _cm(finalizers=["nope"]),
            code=422,
            message="~.*name is neither a standard finalizer name nor is it fully qualified.*",
        ),
        post(
            CMS,
            _cm(ownerReferences=[{"apiVersion": "v1", "kind": "", "name": "x", "uid": "y"}]),
            code=422,
            message="~.*metadata.ownerReferences(\\[0\\])?.kind: .*",
        ),
    ],
    "not found": [
        get(
            CM,
            code=404,
            message='configmaps "a" not found',
            see={"reason": "NotFound", "details": {"name": "a", "kind": "configmaps"}},
        ),
        put(CM, _cm(), code=404, message='configmaps "a" not found'),
        patch(CM, {}, code=404, message='configmaps "a" not found'),
        delete(CM, code=404, message='configmaps "a" not found'),
    ],
    "update": [
        _made(),
        put(
            CM,
            {"metadata": {"name": "a"}, "data": {"k": "2"}},
            see={"data": {"k": "2"}, "metadata": {"uid": "{uid}", "resourceVersion": "<version>"}},
        ),
        put(
            CM,
            {"metadata": {"name": "a", "resourceVersion": "{rv}"}},
            code=409,
            message='Operation cannot be fulfilled on configmaps "a": the object has been '
            "modified; please apply your changes to the latest version and try again",
            see={"reason": "Conflict", "details": {"name": "a", "kind": "configmaps"}},
        ),
    ],
    "an update that changes nothing": [
        _made(),
        put(CM, _cm(), see={"metadata": {"resourceVersion": "{rv}"}}),
        patch(
            CM,
            {"metadata": {"generation": 4, "creationTimestamp": None}},
            see={"metadata": {"resourceVersion": "{rv}", "creationTimestamp": "<time>"}},
        ),
    ],
    "update with another identity": [
        _made(),
        put(
            CM,
            {"metadata": {"name": "b"}},
            code=400,
            message="the name of the object (b) does not match the name on the URL (a)",
        ),
        put(
            CM,
            _cm(uid="3"),
            code=409,
            message="~Operation cannot be fulfilled on configmaps "
            '"a": .*Precondition failed: UID in precondition: 3, UID in object meta: {uid}',
        ),
        put(
            CM,
            _cm(namespace="other"),
            code=400,
            message="~the namespace of the (provided )?object.*",
        ),
    ],
    "delete": [
        _made(),
        delete(
            CM,
            see={
                "kind": "Status",
                "status": "Success",
                "details": {"name": "a", "kind": "configmaps", "uid": "{uid}"},
            },
        ),
        get(CM, code=404),
    ],
    "delete with preconditions": [
        _made(),
        delete(
            CM,
            {"preconditions": {"uid": "x"}},
            code=409,
            message='Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition '
            "(x) does not match the UID in record ({uid}). The object might have been "
            "deleted and then recreated",
        ),
        delete(
            CM,
            {"preconditions": {"resourceVersion": "1"}},
            code=409,
            message='Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the '
            "precondition (1) does not match the ResourceVersion in record ({rv}). The "
            "object might have been modified",
        ),
        delete(CM, {"preconditions": {"uid": "{uid}", "resourceVersion": "{rv}"}}),
    ],
    "delete with wrong options": [
        _made(),
        delete(
            CM,
            {"propagationPolicy": "Foo"},
            code=422,
            message='~DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported '
            'value: "Foo": supported values: .*',
        ),
        delete(CM + "?dryRun=Some", code=422, message="~.*dryRun: Unsupported value.*"),
        delete(CM + "?gracePeriodSeconds=x", code=400),
    ],
    "finalizers hold a deleted object": [
        _made(finalizers=["example.com/hold"]),
        delete(
            CM,
            see={
                "kind": "ConfigMap",
                "metadata": {
                    "deletionTimestamp": "<time>",
                    "deletionGracePeriodSeconds": 0,
                    "finalizers": ["example.com/hold"],
                },
            },
        ),
        get(CM, see={"metadata": {"deletionTimestamp": "<time>"}}),
        patch(
            CM,
            {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}},
            code=422,
            message="~.*no new finalizers can be added if the object is being deleted, found new "
            'finalizers \\[\\]string{"example.com/more"}',
        ),
        patch(CM, {"metadata": {"finalizers": None}}, see={"kind": "ConfigMap"}),
        get(CM, code=404),
    ],
    "dry runs": [
        post(
            CMS + "?dryRun=All",
            _cm(),
            see={"metadata": {"uid": "<uid>", "resourceVersion": "<absent>"}},
        ),
        get(CM, code=404),
        _made(),
        post(CMS + "?dryRun=All", _cm(), code=409),
        patch(CM + "?dryRun=All", {"data": {"k": "9"}}, see={"data": {"k": "9"}}),
        delete(CM + "?dryRun=All", see={"status": "Success"}),
        get(CM, see={"data": {"k": "1"}, "metadata": {"resourceVersion": "{rv}"}}),
    ],
    "field validation": [
        post(
            CMS,
            b'{"metadata":{"name":"a"},"foo":1,"data":{}}',
            warning='299 - "unknown field \\"foo\\""',
        ),
        post(
            CMS + "?fieldValidation=Strict",
            b'{"metadata":{"name":"b","name":"b"},"foo":1}',
            code=400,
            message='ConfigMap in version "v1" cannot be handled as a ConfigMap: strict '
            'decoding error: duplicate field "metadata.name", unknown field "foo"',
        ),
        post(
            CMS + "?fieldValidation=Ignore",
            {"metadata": {"name": "c"}, "foo": 1},
            see={"foo": "<absent>"},
        ),
        post(
            CMS + "?fieldValidation=Maybe",
            {"metadata": {"name": "d"}},
            code=422,
            message='~.*fieldValidation: Unsupported value: "Maybe": supported values: .*',
        ),
    ],
    "wrong bodies": [
        post(
            CMS,
            b"zzz",
            code=400,
            message="~the object provided is unrecognized.*json parse error.*",
        ),
        post(CMS, b"", code=400, message="~the object provided is unrecognized.*"),
        post(CMS, b"[]", code=400, message="~the object provided is unrecognized.*"),
        post(
            CMS,
            b"x",
            code=415,
            headers={"content-type": "text/html"},
            message="~the body of the request was in an unknown format - accepted media types.*",
        ),
        post(
            CMS,
            {"metadata": {"name": "a"}, "data": {"a": 1}},
            code=400,
            message='~ConfigMap in version "v1" cannot be handled as a ConfigMap: .*',
        ),
        post(
            CMS,
            {"metadata": {"name": "a", "labels": "x"}},
            code=400,
            message='~ConfigMap in version "v1" cannot be handled as a ConfigMap: .*',
        ),
    ],
    "yaml bodies": [
        post(
            CMS, "metadata: {name: a}\ndata: {k: 'yes'}\n", media="yaml", see={"data": {"k": "yes"}}
        ),
    ],
    "methods that are not there": [
        _made(),
        post(
            CM,
            {},
            code=405,
            message="the server does not allow this method on the requested resource",
            see={"reason": "MethodNotAllowed"},
        ),
        put(CMS, {}, code=405),
        get(CM + "/status", code=404, message="the server could not find the requested resource"),
        get(CM + "/foo", code=404),
        get("/api/v1/nope", code=404, message="the server could not find the requested resource"),
        get(CM + "/nope", code=404, see={"details": {}}),
        get("/apis/nope.example.com/v1/things", code=404),
    ],
    "not acceptable": [
        get(CMS, code=406, headers={"accept": "text/html"}, message="~406: Not Acceptable.*"),
    ],
    "metadata alone": [
        _made(labels={"l": "x"}),
        get(
            CM,
            headers={"accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"},
            see={
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"name": "a", "labels": {"l": "x"}},
                "data": "<absent>",
            },
        ),
        get(
            CMS + "?labelSelector=l=x",
            headers={"accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"},
            see={
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "items": [{"metadata": {"name": "a"}, "data": "<absent>"}],
            },
        ),
    ],
}
