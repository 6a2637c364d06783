"""Who asks and what they may: authentication, RBAC, the node authorizer, tokens, reviews.

`auth.Auth` is the face; the API server asks it before everything else. TLS itself (whose client
certificate is it?) is the transport's; keys and certificates are made by `athanor.local.pki`.
"""
