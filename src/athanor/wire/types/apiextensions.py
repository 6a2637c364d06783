"""Types of io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.

The format is described in `table.py`.
"""

TEXT = """\
CustomResourceColumnDefinition: description:s format:s jsonPath!:s name!:s priority:i type!:s
CustomResourceConversion: strategy!:s webhook:WebhookConversion
CustomResourceDefinition: apiVersion:s kind:s metadata:meta.ObjectMeta
 spec!:CustomResourceDefinitionSpec status:CustomResourceDefinitionStatus
CustomResourceDefinitionCondition: lastTransitionTime:t message:s observedGeneration:l reason:s
 status!:s type!:s
CustomResourceDefinitionNames: categories:[s]a kind!:s listKind:s plural!:s shortNames:[s]a
 singular:s
CustomResourceDefinitionSpec: conversion:CustomResourceConversion group!:s
 names!:CustomResourceDefinitionNames preserveUnknownFields:b scope!:s
 versions!:[CustomResourceDefinitionVersion]a
CustomResourceDefinitionStatus: acceptedNames:CustomResourceDefinitionNames
 conditions:[CustomResourceDefinitionCondition]{type} observedGeneration:l storedVersions:[s]a
CustomResourceDefinitionVersion: additionalPrinterColumns:[CustomResourceColumnDefinition]a
 deprecated:b deprecationWarning:s name!:s schema:CustomResourceValidation
 selectableFields:[SelectableField]a served!:b storage!:b subresources:CustomResourceSubresources
CustomResourceSubresourceScale: labelSelectorPath:s specReplicasPath!:s statusReplicasPath!:s
CustomResourceSubresources: scale:CustomResourceSubresourceScale status:o
CustomResourceValidation: openAPIV3Schema:JSONSchemaProps
ExternalDocumentation: description:s url:s
JSONSchemaProps: $ref:s $schema:s additionalItems:j additionalProperties:j
 allOf:[JSONSchemaProps]a anyOf:[JSONSchemaProps]a default:j definitions:<JSONSchemaProps>
 dependencies:<j> description:s enum:[j]a example:j exclusiveMaximum:b exclusiveMinimum:b
 externalDocs:ExternalDocumentation format:s id:s items:j maxItems:l maxLength:l maxProperties:l
 maximum:n minItems:l minLength:l minProperties:l minimum:n multipleOf:n not:JSONSchemaProps
 nullable:b oneOf:[JSONSchemaProps]a pattern:s patternProperties:<JSONSchemaProps>
 properties:<JSONSchemaProps> required:[s]a title:s type:s uniqueItems:b
 x-kubernetes-embedded-resource:b x-kubernetes-int-or-string:b x-kubernetes-list-map-keys:[s]a
 x-kubernetes-list-type:s x-kubernetes-map-type:s x-kubernetes-preserve-unknown-fields:b
 x-kubernetes-validations:[ValidationRule]{rule}+rule
SelectableField: jsonPath!:s
ServiceReference: name!:s namespace!:s path:s port:i
ValidationRule: fieldPath:s message:s messageExpression:s optionalOldSelf:b
 reason:s(FieldValueDuplicate|FieldValueForbidden|FieldValueInvalid|FieldValueRequired) rule!:s
WebhookClientConfig: caBundle:y service:ServiceReference url:s
WebhookConversion: clientConfig:WebhookClientConfig conversionReviewVersions!:[s]a
"""
