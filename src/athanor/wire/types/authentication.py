"""Types of io.k8s.api.authentication.v1.

The format is described in `table.py`.
"""

TEXT = """\
BoundObjectReference: apiVersion:s kind:s name:s uid:s
SelfSubjectReview: apiVersion:s kind:s metadata:meta.ObjectMeta status:SelfSubjectReviewStatus
SelfSubjectReviewStatus: userInfo:UserInfo
TokenRequest: apiVersion:s kind:s metadata:meta.ObjectMeta spec:TokenRequestSpec
 status:TokenRequestStatus
TokenRequestSpec: audiences:[s]a boundObjectRef:BoundObjectReference expirationSeconds:l
TokenRequestStatus: expirationTimestamp:t token:s
TokenReview: apiVersion:s kind:s metadata:meta.ObjectMeta spec!:TokenReviewSpec
 status:TokenReviewStatus
TokenReviewSpec: audiences:[s]a token!:s
TokenReviewStatus: audiences:[s]a authenticated:b error:s user:UserInfo
UserInfo: extra:<[s]> groups:[s]a uid:s username:s
"""
