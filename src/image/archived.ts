// An image as it lies in an archive or a layout, whatever the form: where its config and layers are, and what is known of
// them. docker-archive.ts and oci-layout.ts find them, import-archive.ts brings them in.

import type { Reference } from './reference.ts';

/** A file of the archive; digest and size are those that the archive's own documents claim. */
export interface ArchivedBlob {
  path: string;
  digest: string | undefined;
  size: number | undefined;
}

export interface ArchivedImage {
  config: ArchivedBlob;
  /** The base first; compressed or not. */
  layers: ArchivedBlob[];
  names: Reference[];
  /** Digest of the document that the archive names it by: `bb@sha256:HEX`; Docker's older archives have none. */
  digest: string | undefined;
}
