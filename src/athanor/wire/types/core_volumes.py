"""Types of volumes and claims in core/v1.

The format is described in `table.py`.
"""

TEXT = """\
AWSElasticBlockStoreVolumeSource: fsType:s partition:i readOnly:b volumeID!:s
AttachedVolume: devicePath!:s name!:s
AzureDiskVolumeSource: cachingMode:s(None|ReadOnly|ReadWrite)=ReadWrite diskName!:s diskURI!:s
 fsType:s=ext4 kind:s(Dedicated|Managed|Shared)=Shared readOnly:b
AzureFilePersistentVolumeSource: readOnly:b secretName!:s secretNamespace:s shareName!:s
AzureFileVolumeSource: readOnly:b secretName!:s shareName!:s
CSIPersistentVolumeSource: controllerExpandSecretRef:SecretReference
 controllerPublishSecretRef:SecretReference driver!:s fsType:s nodeExpandSecretRef:SecretReference
 nodePublishSecretRef:SecretReference nodeStageSecretRef:SecretReference readOnly:b
 volumeAttributes:<s> volumeHandle!:s
CSIVolumeSource: driver!:s fsType:s nodePublishSecretRef:LocalObjectReference readOnly:b
 volumeAttributes:<s>
CephFSPersistentVolumeSource: monitors!:[s]a path:s readOnly:b secretFile:s
 secretRef:SecretReference user:s
CephFSVolumeSource: monitors!:[s]a path:s readOnly:b secretFile:s secretRef:LocalObjectReference
 user:s
CinderPersistentVolumeSource: fsType:s readOnly:b secretRef:SecretReference volumeID!:s
CinderVolumeSource: fsType:s readOnly:b secretRef:LocalObjectReference volumeID!:s
ClusterTrustBundleProjection: labelSelector:meta.LabelSelector name:s optional:b path!:s
 signerName:s
ConfigMapProjection: items:[KeyToPath]a name:s optional:b
ConfigMapVolumeSource: defaultMode:i items:[KeyToPath]a name:s optional:b
DownwardAPIProjection: items:[DownwardAPIVolumeFile]a
DownwardAPIVolumeFile: fieldRef:ObjectFieldSelector mode:i path!:s
 resourceFieldRef:ResourceFieldSelector
DownwardAPIVolumeSource: defaultMode:i items:[DownwardAPIVolumeFile]a
EmptyDirVolumeSource: medium:s sizeLimit:q
EphemeralVolumeSource: volumeClaimTemplate:PersistentVolumeClaimTemplate
FCVolumeSource: fsType:s lun:i readOnly:b targetWWNs:[s]a wwids:[s]a
FlexPersistentVolumeSource: driver!:s fsType:s options:<s> readOnly:b secretRef:SecretReference
FlexVolumeSource: driver!:s fsType:s options:<s> readOnly:b secretRef:LocalObjectReference
FlockerVolumeSource: datasetName:s datasetUUID:s
GCEPersistentDiskVolumeSource: fsType:s partition:i pdName!:s readOnly:b
GitRepoVolumeSource: directory:s repository!:s revision:s
GlusterfsPersistentVolumeSource: endpoints!:s endpointsNamespace:s path!:s readOnly:b
GlusterfsVolumeSource: endpoints!:s path!:s readOnly:b
HostPathVolumeSource: path!:s
 type:s(|BlockDevice|CharDevice|Directory|DirectoryOrCreate|File|FileOrCreate|Socket)
ISCSIPersistentVolumeSource: chapAuthDiscovery:b chapAuthSession:b fsType:s initiatorName:s iqn!:s
 iscsiInterface:s=default lun!:i portals:[s]a readOnly:b secretRef:SecretReference targetPortal!:s
ISCSIVolumeSource: chapAuthDiscovery:b chapAuthSession:b fsType:s initiatorName:s iqn!:s
 iscsiInterface:s=default lun!:i portals:[s]a readOnly:b secretRef:LocalObjectReference
 targetPortal!:s
ImageVolumeSource: pullPolicy:s(Always|IfNotPresent|Never) reference:s
ImageVolumeStatus: imageRef!:s
KeyToPath: key!:s mode:i path!:s
LocalVolumeSource: fsType:s path!:s
ModifyVolumeStatus: status!:s(InProgress|Infeasible|Pending) targetVolumeAttributesClassName:s
NFSVolumeSource: path!:s readOnly:b server!:s
PersistentVolume: apiVersion:s kind:s metadata:meta.ObjectMeta spec:PersistentVolumeSpec
 status:PersistentVolumeStatus
PersistentVolumeClaim: apiVersion:s kind:s metadata:meta.ObjectMeta spec:PersistentVolumeClaimSpec
 status:PersistentVolumeClaimStatus
PersistentVolumeClaimCondition: lastProbeTime:t lastTransitionTime:t message:s reason:s status!:s
 type!:s
PersistentVolumeClaimSpec:
 accessModes:[s(ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod)]a
 dataSource:TypedLocalObjectReference dataSourceRef:TypedObjectReference
 resources:VolumeResourceRequirements selector:meta.LabelSelector storageClassName:s
 volumeAttributesClassName:s volumeMode:s(Block|Filesystem) volumeName:s
PersistentVolumeClaimStatus:
 accessModes:[s(ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod)]a
 allocatedResourceStatuses:<s> allocatedResources:<q> capacity:<q>
 conditions:[PersistentVolumeClaimCondition]{type}+type currentVolumeAttributesClassName:s
 modifyVolumeStatus:ModifyVolumeStatus phase:s(Bound|Lost|Pending)
PersistentVolumeClaimTemplate: metadata:meta.ObjectMeta spec!:PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource: claimName!:s readOnly:b
PersistentVolumeSpec: accessModes:[s(ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod)]a
 awsElasticBlockStore:AWSElasticBlockStoreVolumeSource azureDisk:AzureDiskVolumeSource
 azureFile:AzureFilePersistentVolumeSource capacity:<q> cephfs:CephFSPersistentVolumeSource
 cinder:CinderPersistentVolumeSource claimRef:ObjectReference~ csi:CSIPersistentVolumeSource
 fc:FCVolumeSource flexVolume:FlexPersistentVolumeSource flocker:FlockerVolumeSource
 gcePersistentDisk:GCEPersistentDiskVolumeSource glusterfs:GlusterfsPersistentVolumeSource
 hostPath:HostPathVolumeSource iscsi:ISCSIPersistentVolumeSource local:LocalVolumeSource
 mountOptions:[s]a nfs:NFSVolumeSource nodeAffinity:VolumeNodeAffinity
 persistentVolumeReclaimPolicy:s(Delete|Recycle|Retain)
 photonPersistentDisk:PhotonPersistentDiskVolumeSource portworxVolume:PortworxVolumeSource
 quobyte:QuobyteVolumeSource rbd:RBDPersistentVolumeSource scaleIO:ScaleIOPersistentVolumeSource
 storageClassName:s storageos:StorageOSPersistentVolumeSource volumeAttributesClassName:s
 volumeMode:s(Block|Filesystem) vsphereVolume:VsphereVirtualDiskVolumeSource
PersistentVolumeStatus: lastPhaseTransitionTime:t message:s
 phase:s(Available|Bound|Failed|Pending|Released) reason:s
PhotonPersistentDiskVolumeSource: fsType:s pdID!:s
PodCertificateProjection: certificateChainPath:s credentialBundlePath:s keyPath:s keyType!:s
 maxExpirationSeconds:i signerName!:s userAnnotations:<s>
PortworxVolumeSource: fsType:s readOnly:b volumeID!:s
ProjectedVolumeSource: defaultMode:i sources:[VolumeProjection]a
QuobyteVolumeSource: group:s readOnly:b registry!:s tenant:s user:s volume!:s
RBDPersistentVolumeSource: fsType:s image!:s keyring:s=/etc/ceph/keyring monitors!:[s]a pool:s=rbd
 readOnly:b secretRef:SecretReference user:s=admin
RBDVolumeSource: fsType:s image!:s keyring:s=/etc/ceph/keyring monitors!:[s]a pool:s=rbd
 readOnly:b secretRef:LocalObjectReference user:s=admin
ScaleIOPersistentVolumeSource: fsType:s=xfs gateway!:s protectionDomain:s readOnly:b
 secretRef!:SecretReference sslEnabled:b storageMode:s=ThinProvisioned storagePool:s system!:s
 volumeName:s
ScaleIOVolumeSource: fsType:s=xfs gateway!:s protectionDomain:s readOnly:b
 secretRef!:LocalObjectReference sslEnabled:b storageMode:s=ThinProvisioned storagePool:s
 system!:s volumeName:s
SecretProjection: items:[KeyToPath]a name:s optional:b
SecretVolumeSource: defaultMode:i items:[KeyToPath]a optional:b secretName:s
ServiceAccountTokenProjection: audience:s expirationSeconds:l path!:s
StorageOSPersistentVolumeSource: fsType:s readOnly:b secretRef:ObjectReference volumeName:s
 volumeNamespace:s
StorageOSVolumeSource: fsType:s readOnly:b secretRef:LocalObjectReference volumeName:s
 volumeNamespace:s
Volume: awsElasticBlockStore:AWSElasticBlockStoreVolumeSource azureDisk:AzureDiskVolumeSource
 azureFile:AzureFileVolumeSource cephfs:CephFSVolumeSource cinder:CinderVolumeSource
 configMap:ConfigMapVolumeSource csi:CSIVolumeSource downwardAPI:DownwardAPIVolumeSource
 emptyDir:EmptyDirVolumeSource ephemeral:EphemeralVolumeSource fc:FCVolumeSource
 flexVolume:FlexVolumeSource flocker:FlockerVolumeSource
 gcePersistentDisk:GCEPersistentDiskVolumeSource gitRepo:GitRepoVolumeSource
 glusterfs:GlusterfsVolumeSource hostPath:HostPathVolumeSource image:ImageVolumeSource
 iscsi:ISCSIVolumeSource name!:s nfs:NFSVolumeSource
 persistentVolumeClaim:PersistentVolumeClaimVolumeSource
 photonPersistentDisk:PhotonPersistentDiskVolumeSource portworxVolume:PortworxVolumeSource
 projected:ProjectedVolumeSource quobyte:QuobyteVolumeSource rbd:RBDVolumeSource
 scaleIO:ScaleIOVolumeSource secret:SecretVolumeSource storageos:StorageOSVolumeSource
 vsphereVolume:VsphereVirtualDiskVolumeSource
VolumeDevice: devicePath!:s name!:s
VolumeMount: mountPath!:s mountPropagation:s(Bidirectional|HostToContainer|None) name!:s
 readOnly:b recursiveReadOnly:s subPath:s subPathExpr:s
VolumeMountStatus: mountPath!:s name!:s readOnly:b recursiveReadOnly:s volumeStatus:VolumeStatus
VolumeNodeAffinity: required:NodeSelector
VolumeProjection: clusterTrustBundle:ClusterTrustBundleProjection configMap:ConfigMapProjection
 downwardAPI:DownwardAPIProjection podCertificate:PodCertificateProjection secret:SecretProjection
 serviceAccountToken:ServiceAccountTokenProjection
VolumeResourceRequirements: limits:<q> requests:<q>
VolumeStatus: image:ImageVolumeStatus
VsphereVirtualDiskVolumeSource: fsType:s storagePolicyID:s storagePolicyName:s volumePath!:s
"""
