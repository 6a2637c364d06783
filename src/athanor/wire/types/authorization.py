"""Types of io.k8s.api.authorization.v1.

The format is described in `table.py`.
"""

TEXT = """\
FieldSelectorAttributes: rawSelector:s requirements:[meta.FieldSelectorRequirement]a
LabelSelectorAttributes: rawSelector:s requirements:[meta.LabelSelectorRequirement]a
LocalSubjectAccessReview: apiVersion:s kind:s metadata:meta.ObjectMeta
 spec!:SubjectAccessReviewSpec status:SubjectAccessReviewStatus
NonResourceAttributes: path:s verb:s
NonResourceRule: nonResourceURLs:[s]a verbs!:[s]a
ResourceAttributes: fieldSelector:FieldSelectorAttributes group:s
 labelSelector:LabelSelectorAttributes name:s namespace:s resource:s subresource:s verb:s
 version:s
ResourceRule: apiGroups:[s]a resourceNames:[s]a resources:[s]a verbs!:[s]a
SelfSubjectAccessReview: apiVersion:s kind:s metadata:meta.ObjectMeta
 spec!:SelfSubjectAccessReviewSpec status:SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec: nonResourceAttributes:NonResourceAttributes
 resourceAttributes:ResourceAttributes
SelfSubjectRulesReview: apiVersion:s kind:s metadata:meta.ObjectMeta
 spec!:SelfSubjectRulesReviewSpec status:SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec: namespace:s
SubjectAccessReview: apiVersion:s kind:s metadata:meta.ObjectMeta spec!:SubjectAccessReviewSpec
 status:SubjectAccessReviewStatus
SubjectAccessReviewSpec: extra:<[s]> groups:[s]a nonResourceAttributes:NonResourceAttributes
 resourceAttributes:ResourceAttributes uid:s user:s
SubjectAccessReviewStatus: allowed!:b denied:b evaluationError:s reason:s
SubjectRulesReviewStatus: evaluationError:s incomplete!:b nonResourceRules!:[NonResourceRule]a
 resourceRules!:[ResourceRule]a
"""
