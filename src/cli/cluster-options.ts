// Docker's options of cluster volumes, by kind: the table knows them, so that `volume create` can say why it refuses them.

export const CLUSTER_OPTIONS = {
  text: ['availability', 'group', 'limit-bytes', 'required-bytes', 'scope', 'sharing', 'type'],
  list: ['secret', 'topology-preferred', 'topology-required'],
} as const;
